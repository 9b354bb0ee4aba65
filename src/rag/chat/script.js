// Shows sources and articles, and answers clicks on markers. All HTML was escaped on the server; it is only cloned here.
(() => {
	"use strict";
	const HEADER = { "x-rag": "1" };
	let shownTurn = "";
	let shownSources = "";
	let latestTurn = "";
	let origin = null;

	const one = (selector, root = document) => root.querySelector(selector);
	const panelBody = () => one(".panel-body");
	const liveTurn = () => one("#rag-live .turn");
	const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

	// Who this browser is, and which conversation this tab is in: the server keeps conversations by these.
	const store = (where, name, value) => {
		try {
			if (value !== undefined) where().setItem(name, value);
			return where().getItem(name) ?? "";
		} catch {
			return ""; // storage may be switched off; then nothing is restored
		}
	};
	const local = () => localStorage;
	const session = () => sessionStorage;
	const visitor = () => {
		const known = store(local, "rag-visitor");
		if (/^[0-9a-f]{32}$/.test(known)) return known;
		const fresh = [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
		store(local, "rag-visitor", fresh);
		return fresh;
	};
	window.ragVisit = () => JSON.stringify({ visitor: visitor(), conversation: store(session, "rag-conversation") || "0".repeat(32) });

	// The panel: the sources of a turn, or an article.
	const show = (turn) => {
		const body = panelBody();
		const sources = one(":scope > .sources", turn);
		if (!body || !sources || (shownTurn === turn.dataset.turn && shownSources === sources.innerHTML)) return;
		if (shownTurn !== turn.dataset.turn) {
			body.closest("#rag-panel").scrollTop = 0;
			closeArticle();
		}
		shownTurn = turn.dataset.turn;
		shownSources = sources.innerHTML;
		body.replaceChildren(...sources.cloneNode(true).childNodes);
		body.querySelectorAll(".card[data-number]").forEach((card) => void article(card));
	};

	const press = (marker) => {
		document.querySelectorAll(".marker[aria-pressed]").forEach((other) => other.removeAttribute("aria-pressed"));
		marker?.setAttribute("aria-pressed", "true");
	};

	// Articles are fetched as soon as their sources are known, so that a click finds them here.
	const articles = new Map();
	const cited = (card) =>
		[...card.closest(".panel-body, .sources").querySelectorAll(".card[data-number]")].filter(
			(other) => other.dataset.document === card.dataset.document,
		);
	const address = (card) => {
		const query = new URLSearchParams({ id: card.dataset.document });
		for (const other of cited(card)) {
			query.append("mark", `${other.dataset.number}:${other.dataset.start}:${other.dataset.end}`);
			query.append("quote", one("mark", other).textContent);
		}
		return `rag/article?${query}`;
	};
	const get = async (where) => {
		const reply = await fetch(where, { headers: HEADER, cache: "no-store" });
		const text = await reply.text();
		if (!reply.ok) throw new Error(text);
		return text;
	};
	const article = (card) => {
		const where = address(card);
		if (!articles.has(where)) {
			if (articles.size > 40) articles.delete(articles.keys().next().value);
			const found = get(where);
			found.catch(() => articles.delete(where));
			articles.set(where, found);
		}
		return articles.get(where);
	};

	const openArticle = async (card, marker) => {
		origin = marker ?? origin;
		press(marker);
		const turn = shownTurn;
		let html;
		try {
			html = await article(card);
		} catch (error) {
			card.focus();
			card.scrollIntoView({ behavior: motion(), block: "start" });
			problem(card, error.message);
			return;
		}
		if (turn !== shownTurn) return;
		const reader = one(".reader");
		const place = one(".reader-article", reader);
		place.innerHTML = html;
		reader.hidden = false;
		panelBody().hidden = true;
		reader.dataset.number = card.dataset.number;
		reader.dataset.reference = card.dataset.reference;
		const numbers = [...panelBody().querySelectorAll(".card[data-number]")];
		one(".reader-steps", reader).hidden = false;
		one(".reader-place", reader).textContent = `Source ${card.dataset.number}, ${numbers.indexOf(card) + 1} of ${numbers.length}`;
		one(".previous", reader).disabled = one(".next", reader).disabled = numbers.length < 2;
		one(".copy", reader).hidden = false;
		const marks = [...place.querySelectorAll(`mark[data-numbers~="${card.dataset.number}"]`)];
		marks.forEach((mark) => mark.classList.add("active"));
		const target = marks[0] ?? place;
		target.setAttribute("tabindex", "-1");
		target.focus({ preventScroll: true });
		target.scrollIntoView({ behavior: "instant", block: "center" });
	};

	const openDocument = async (id) => {
		const html = await get(`rag/article?${new URLSearchParams({ id })}`);
		const reader = one(".reader");
		one(".reader-article", reader).innerHTML = html;
		reader.hidden = false;
		panelBody().hidden = true;
		one(".reader-steps", reader).hidden = true;
		one(".copy", reader).hidden = true;
		one("#rag-panel").scrollTop = 0;
		one(".reader-article h2", reader).focus({ preventScroll: true });
		one(".reader").scrollIntoView({ behavior: motion(), block: "nearest" });
	};

	const closeArticle = () => {
		const reader = one(".reader");
		if (!reader || reader.hidden) return;
		reader.hidden = true;
		panelBody().hidden = false;
	};

	const follow = (marker) => {
		show(marker.closest(".turn"));
		const card = one(`.card[data-number="${marker.dataset.cite}"]`, panelBody());
		if (card) void openArticle(card, marker);
	};

	const markerOf = (number) => one(`.turn[data-turn="${shownTurn}"] .marker[data-cite="${number}"]`);

	const step = (by) => {
		const numbers = [...panelBody().querySelectorAll(".card[data-number]")];
		const at = numbers.findIndex((card) => card.dataset.number === one(".reader").dataset.number);
		const card = numbers[(at + by + numbers.length) % numbers.length];
		if (card) void openArticle(card, markerOf(card.dataset.number));
	};

	const copy = async (button) => {
		const reader = one(".reader");
		const quote = [...reader.querySelectorAll("mark.active")].map((mark) => mark.textContent).join("");
		const words = `“${quote.trim()}” (${reader.dataset.reference})`;
		try {
			await navigator.clipboard.writeText(words);
			button.textContent = "Copied";
		} catch {
			button.textContent = "Copying is not allowed here";
		}
		setTimeout(() => (button.textContent = "Copy quote"), 2000);
	};

	const goBack = () => {
		if (!origin?.isConnected) return;
		origin.focus({ preventScroll: true });
		origin.scrollIntoView({ behavior: motion(), block: "center" });
	};

	const problem = (place, words) => {
		let line = one(":scope > .problem", place);
		if (!line) {
			line = place.appendChild(document.createElement("p"));
			line.className = "problem";
			line.setAttribute("role", "alert");
		}
		line.textContent = words;
	};

	// The quote beside its marker, while it is pointed at or has the focus.
	const peek = document.createElement("div");
	peek.className = "peek";
	peek.id = "rag-peek";
	peek.setAttribute("role", "tooltip");
	peek.hidden = true;
	const peekAt = (marker) => {
		const card = one(`.sources .card[data-number="${marker.dataset.cite}"]`, marker.closest(".turn"));
		if (!card) return;
		const quote = document.createElement("p");
		quote.textContent = `“${one("mark", card).textContent.trim()}”`;
		quote.lang = one("blockquote", card).lang;
		quote.dir = "auto";
		const title = one("h3", card).cloneNode(true);
		const about = one(".meta", card).cloneNode(true);
		peek.replaceChildren(quote, title, about);
		one(".gradio-container").append(peek);
		peek.hidden = false;
		marker.setAttribute("aria-describedby", peek.id);
		const at = marker.getBoundingClientRect();
		const size = peek.getBoundingClientRect();
		peek.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
		const above = at.top - size.height - 8;
		peek.style.top = `${above > 8 ? above : at.bottom + 8}px`;
	};
	const unpeek = () => {
		peek.hidden = true;
		one(".marker[aria-describedby]")?.removeAttribute("aria-describedby");
	};

	// The library and the places of the page.
	const goTo = (place) => {
		const history = one('[data-place="history"]');
		if (place === "history") {
			const open = document.body.classList.toggle("rag-with-history");
			history.setAttribute("aria-expanded", String(open));
			if (open) one("#rag-history button")?.focus();
			return;
		}
		document.body.classList.toggle("rag-in-library", place === "library");
		document.querySelectorAll(".places [data-place]").forEach((button) => button.removeAttribute("aria-current"));
		one(`.places [data-place="${place}"]`)?.setAttribute("aria-current", "page");
		if (place === "library") void loadLibrary(new URLSearchParams(), false);
		else toQuestionBox();
	};
	let asked = 0;
	const loadLibrary = async (query, more) => {
		const region = one("#rag-library .html-container") ?? one("#rag-library");
		const number = ++asked;
		const focused = document.activeElement?.closest(".library-filters") && document.activeElement.name;
		let html;
		try {
			html = await get(`rag/library?${query}`);
		} catch (error) {
			problem(region, error.message);
			return;
		}
		if (number !== asked) return;
		const page = document.createElement("div");
		page.innerHTML = html;
		if (more) {
			one(".articles tbody", region).append(...page.querySelectorAll(".articles tbody tr"));
			one(".library-more", region).remove();
			const next = one(".library-more", page);
			if (next) one(".articles", region).after(next);
			return;
		}
		if (focused) {
			// The list changes while words are typed; the field that they are typed into stays.
			for (const part of [".library header", ".timeline", ".articles", ".library > .panel-note", ".library-more"]) {
				one(part, region)?.remove();
			}
			const library = one(".library", region);
			const filters = one(".library-filters", region);
			library.prepend(one(".library header", page));
			let after = filters;
			for (const part of page.querySelectorAll(".timeline, .articles, .library > .panel-note, .library-more")) {
				after.after(part);
				after = part;
			}
		} else {
			region.replaceChildren(...page.childNodes);
			one(".library h2", region)?.focus();
		}
	};
	const libraryQuery = () => new URLSearchParams(new FormData(one(".library-filters")));
	let typing = 0;
	document.addEventListener("input", (event) => {
		if (!event.target.closest?.(".library-filters")) return;
		clearTimeout(typing);
		typing = setTimeout(() => void loadLibrary(libraryQuery(), false), 150);
	});
	document.addEventListener("submit", (event) => {
		if (event.target.closest?.(".library-filters")) event.preventDefault();
	});

	const post = async (where, body) => {
		const reply = await fetch(where, { method: "POST", headers: HEADER, body });
		if (!reply.ok) throw new Error(await reply.text());
		return reply;
	};
	const told = (words) => {
		const status = one(".manage-status");
		if (status) status.textContent = words;
	};
	const rebuild = async () => {
		let done = false;
		const watchProgress = async () => {
			while (!done) {
				const { message, done: count, total } = JSON.parse(await get("rag/progress"));
				if (!done) told(total ? `${message}: ${count} of ${total}` : message || "Reading the articles");
				await new Promise((wake) => setTimeout(wake, 300));
			}
		};
		void watchProgress().catch(() => {});
		try {
			await post("rag/rebuild", "{}");
			done = true;
			await loadLibrary(new URLSearchParams(), false);
			told("The index is up to date.");
		} catch (error) {
			done = true;
			told(error.message);
		}
	};
	const upload = async (files) => {
		const taken = [];
		for (const file of files) {
			told(`Adding ${file.name}`);
			try {
				await post(`rag/upload?${new URLSearchParams({ name: file.name })}`, await file.arrayBuffer());
				taken.push(file.name);
			} catch (error) {
				told(error.message);
				return;
			}
		}
		if (taken.length) await rebuild();
	};
	const remove = async (button) => {
		if (!confirm(`Delete ${button.dataset.path} from the corpus folder?`)) return;
		try {
			await post("rag/delete", JSON.stringify({ path: button.dataset.path }));
			await rebuild();
		} catch (error) {
			told(error.message);
		}
	};

	// Exports are made on the server from the kept conversation, and saved by the browser.
	const save = async (format) => {
		const conversation = one("#rag-live .live")?.dataset.conversation;
		try {
			const reply = await post("rag/export", JSON.stringify({ visitor: visitor(), conversation, format }));
			const link = document.createElement("a");
			link.href = URL.createObjectURL(await reply.blob());
			link.download = reply.headers.get("x-file-name") ?? `conversation.${format}`;
			link.click();
			setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
		} catch (error) {
			problem(one("#rag-composer"), error.message);
		}
	};

	const welcomeBack = () => {
		const body = panelBody();
		if (shownTurn && body) {
			closeArticle();
			body.replaceChildren(emptyPanel.cloneNode(true));
			shownTurn = shownSources = latestTurn = "";
		}
	};

	// Not on touch screens, where it would open the keyboard over the answer.
	const toQuestionBox = () => {
		const box = one("#rag-box textarea");
		if (!box) return false;
		box.dir = "auto";
		if (matchMedia("(pointer: fine)").matches) box.focus({ preventScroll: true });
		return true;
	};

	let emptyPanel = null;
	let opened = false;
	const update = () => {
		emptyPanel ??= one(".panel-empty")?.cloneNode(true) ?? null;
		opened ||= toQuestionBox();
		const conversation = one("#rag-live .live")?.dataset.conversation;
		if (conversation) store(session, "rag-conversation", conversation);
		const turn = liveTurn();
		if (!turn) return emptyPanel && welcomeBack();
		if (turn.dataset.turn !== latestTurn) {
			latestTurn = turn.dataset.turn;
			press(null);
			show(turn);
			// The question goes to the top and the answer grows below it, so that nothing moves while it is read.
			turn.scrollIntoView({ behavior: motion(), block: "start" });
		} else if (shownTurn === latestTurn) {
			show(turn);
		}
	};

	let due = false;
	new MutationObserver(() => {
		if (due) return;
		due = true;
		requestAnimationFrame(() => {
			due = false;
			update();
		});
	}).observe(document.documentElement, { childList: true, subtree: true, characterData: true });

	// A stopped server would otherwise leave an answer "writing" for ever; a restarted one has forgotten this chat.
	let server = null;
	const watch = async () => {
		let found = "";
		try {
			found = await (await fetch("gradio_api/app_id", { cache: "no-store" })).text();
		} catch {}
		server ??= found || null;
		let words = "";
		if (!found) words = "The chat has lost its server. Start it again with “rag serve”.";
		else if (server && found !== server) words = "The chat was restarted. Reload this page to go on.";
		let line = one(".lost");
		if (words && !line) {
			line = one("#rag-composer")?.appendChild(document.createElement("p"));
			line?.setAttribute("role", "alert");
			line?.setAttribute("class", "notice lost");
		}
		if (line && line.textContent !== words) line.textContent = words;
		setTimeout(watch, 3000);
	};
	watch();

	// What needs a yes is stopped on its way down, before the page's own listeners hear of it.
	document.addEventListener(
		"click",
		(event) => {
			const button = event.target.closest?.("[data-confirm]");
			if (button && !confirm(button.dataset.confirm)) event.stopPropagation();
		},
		true,
	);
	const clicks = {
		".marker": follow,
		".card .read": (button) => void openArticle(button.closest(".card"), markerOf(button.closest(".card").dataset.number)),
		".all-sources": closeArticle,
		".previous": () => step(-1),
		".next": () => step(1),
		".copy": (button) => void copy(button),
		".back": goBack,
		"[data-place]": (button) => goTo(button.dataset.place),
		".library-more": (button) => {
			const query = libraryQuery();
			query.set("first", button.dataset.first);
			void loadLibrary(query, true);
		},
		".read-article": (button) => void openDocument(button.dataset.document),
		".rebuild": () => void rebuild(),
		".remove": (button) => void remove(button),
		"[data-export]": (button) => {
			void save(button.dataset.export);
			button.closest("details").open = false;
		},
		// These buttons vanish when used, and the focus with them.
		"#rag-stop, #rag-retry, #rag-edit, #rag-new, #rag-examples button, .suggestion": () => toQuestionBox(),
	};
	document.addEventListener("click", (event) => {
		for (const [selector, act] of Object.entries(clicks)) {
			const found = event.target.closest?.(selector);
			if (found) return act(found);
		}
	});
	document.addEventListener("change", (event) => {
		if (event.target.closest?.(".upload")) void upload(event.target.files);
	});
	for (const [name, act] of [["mouseover", peekAt], ["focusin", peekAt], ["mouseout", unpeek], ["focusout", unpeek]]) {
		document.addEventListener(name, (event) => {
			const marker = event.target.closest?.(".marker");
			if (marker) act(marker);
		});
	}
	document.addEventListener("keydown", (event) => {
		if (event.key !== "Escape") return;
		unpeek();
		if (document.activeElement?.closest(".panel")) goBack();
		else if (document.activeElement?.closest("#rag-history")) goTo("history");
	});
})();
