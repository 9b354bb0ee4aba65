"""What of a piece of HTML could do anything: every tag, attribute or address that is not on a short list."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

_TAGS = frozenset(
    """a article aside b bdi blockquote br button cite dd details div dl dt fieldset form h1 h2 h3 header input label legend
    li mark nav ol option p section select small span strong summary sup svg path circle line g text title rect table
    tbody td th thead tr ul caption progress time figure figcaption main""".split()
)
_ATTRIBUTES = frozenset(
    """class dir lang role title tabindex type name value maxlength placeholder autocomplete hidden id for selected
    disabled open rel target viewbox d transform x y x1 x2 y1 y2 cx cy r width height text-anchor max scope colspan
    accept multiple method points size""".split()
)
_DOCUMENT_TAGS = frozenset("html head meta style body".split())
_DOCUMENT_ATTRIBUTES = frozenset("charset http-equiv content".split())
_OWN_COMMENTS = frozenset({" rating "})


class _Looker(HTMLParser):
    def __init__(self, document: bool) -> None:
        super().__init__()
        self.document = document
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS and not (self.document and tag in _DOCUMENT_TAGS):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name in ("href", "src", "action", "xlink:href"):
                if name != "href" or tag != "a" or not _leads_to_the_web_or_here(value or ""):
                    self.found.append(f"{name}={value}")
            elif not self._is_harmless(name):
                self.found.append(f"{name}={value}")

    def _is_harmless(self, name: str) -> bool:
        known = name in _ATTRIBUTES or name.startswith(("data-", "aria-"))
        return known or (self.document and name in _DOCUMENT_ATTRIBUTES)

    def handle_comment(self, data: str) -> None:
        if data not in _OWN_COMMENTS:
            self.found.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        if not self.document:
            self.found.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"<![{data}]>")


def _leads_to_the_web_or_here(address: str) -> bool:
    parts = urlsplit(address)
    return (parts.scheme in ("http", "https") and bool(parts.hostname)) or address.startswith("#")


def active_content(html: str, *, document: bool = False) -> list[str]:
    """Everything that is not allowed; nothing for harmless HTML.

    Args:
        html: a fragment.
        document: whether it is a whole document, with a head of our own.
    """
    looker = _Looker(document)
    looker.feed(html)
    looker.close()
    return looker.found
