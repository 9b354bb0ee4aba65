"""Which lines are no part of an article for what they say themselves: buttons, appeals, captions, credits, rights.

Every rule must match a whole line. A rule that a true sentence could match is worth less than the sentence, so that most
name what is asked for ("subscribe to our newsletter"), not only how it begins ("subscribe").
"""

import re
from collections.abc import Iterable

from rag.bylines import AGENCIES

MAX_LINE = 700
"""Characters. No rule matches a longer line."""


def _listed(text: str) -> frozenset[str]:
    return frozenset(" ".join(entry.split()) for entry in text.split("|"))


def _rules(rules: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(f'(?:{rule})' for rule in rules)})[\s.!?)\]→»›>*_]*", re.IGNORECASE | re.DOTALL)


NAVIGATION = _listed(
    """home|news|all news|world|nation|national|local|metro|politics|business|
    economy|finance|markets|companies|money|sport|sports|tech|technology|science|sci-tech|health|environment|climate|
    culture|arts|entertainment|lifestyle|life|style|travel|food|opinion|opinions|editorial|editorials|columns|
    commentary|analysis|features|in depth|interviews|multimedia|video|videos|photo|photos|pictures|gallery|galleries|
    podcast|podcasts|audio|radio|tv|live|live tv|weather|games|crossword|puzzles|obituaries|letters|blog|blogs|
    archive|archives|events|about|about us|contact|contact us|careers|jobs|advertise|advertise with us|newsletters|
    newsletter|subscribe|subscribe now|subscriptions|log in|login|log out|sign in|sign up|register|my account|account|
    search|menu|more|faq|help|sitemap|site map|rss|feedback|shop|store|donate|support us|membership|e-paper|epaper|
    privacy|privacy policy|privacy notice|cookie policy|cookies|
    cookie settings|terms|terms of use|terms of service|terms and conditions|terms & conditions|legal|legal notice|
    imprint|disclaimer|accessibility|copyright|editions|topics|sections|all sections|trending|latest|top stories|
    breaking news|research|mobile|apps|corrections|authors|team|masthead|special report|special reports|speed reads|
    news brief|news briefs|news in brief|headline news|headlines|press releases|press release|blog post|live reporting|get involved"""
)
"""Entries of menus and footers. Each of them alone may be a heading."""

BUTTONS = _listed(
    """download|print|print this|share|share this|share it|tweet|email|e-mail|mail|save|saved|bookmark|copy link|
    link copied|copy url|copied|menu|search|close|open menu|login|log in|sign in|sign up|sign up now|register|
    register now|subscribe|subscribe now|subscribe here|subscribe today|unsubscribe|donate|donate now|support us|
    join us|join now|advertisement|advertisements|advertising|advert|ad|ads|sponsored|promoted|promotion|paid content|
    sponsor content|back to top|go to top|top of page|return to top|facebook|twitter|whatsapp|telegram|linkedin|reddit|
    pinterest|instagram|youtube|tiktok|weibo|wechat|messenger|flipboard|viber|threads|bluesky|mastodon|google news|
    read more|show more|load more|see more|view more|more|view all|see all|show all|next|previous|prev|next article|
    previous article|next page|previous page|next post|previous post|older posts|newer posts|permalink|link|
    terms of use|terms of service|terms and conditions|terms & conditions|privacy policy|privacy notice|cookie policy|
    cookie settings|accept|accept all|accept cookies|accept all cookies|reject all|decline|i agree|got it|
    manage preferences|manage cookies|cookie preferences|privacy settings|contact us|about us|follow us|follow|comments|
    comment|leave a comment|leave a reply|post a comment|add a comment|write a comment|no comments|no comments yet|
    join the conversation|reply|report|report this|report an error|report a typo|loading|please wait|play|play video|
    play audio|pause|mute|unmute|replay|watch now|watch video|watch live|watch the video|listen|listen now|
    listen to this article|listen to article|listen to this story|text size|font size|translate|enlarge|enlarge image|
    full screen|fullscreen|view gallery|open gallery|view original|original article|getty images|afp|reuters|file photo|
    file photos|file image|stock image|handout|courtesy photo|image|photo|breaking|breaking news|related|
    story highlights|continue reading|keep reading|skip ad|enter your email|enter your email address|your email|
    your email address|email address|send|submit|cancel|home page|homepage|toggle navigation|main menu|main navigation|
    navigation|enditem|item ends|commercial break|special report|read all|read full story|read full article|website of the year|sharing button"""
)
"""Lines that are never part of an article where they stand alone."""

_ARTICLE = (
    r"(?:articles?|story|stories|report|piece|interview|commentary|column|op-ed|feature|post|page|transcript|essay|"
    r"translation|version|text)"
)
_NETWORK = (
    r"(?:facebook|twitter|instagram|telegram|youtube|tiktok|linkedin|whatsapp|wechat|weibo|google news|flipboard|mastodon|"
    r"threads|bluesky|spotify|apple podcasts|x|social media)"
)
_LETTER = (
    r"(?:newsletters?|podcasts?|channel|feed|magazine|e-?mails?|mailing list|updates|e-?paper|alerts|digest|briefing)"
)
_JOURNALISM = r"(?:journalism|work|newsroom|reporting|site|mission|media|website|team|publication)"
_CAPITALISED = r"[^\W\d_a-z][\w.'’-]{0,20}"
_NAME = rf"{_CAPITALISED}(?: {_CAPITALISED}){{0,3}}"
_CREDITED = (
    rf"(?-i:(?:{_CAPITALISED}|[Ee]diting|[Ww]riting|[Rr]eporting|[Aa]dditional|[Tt]ranslation|and|in|for|by|with|from|of|the|at|"
    r"&)[,;:]?(?:\s|(?=[).]|$))){1,40}"
)

LIST_HEADS = _rules(
    (
        r"(?:related|similar)(?: (?:stories|articles|news|posts|contents?|topics|links|coverage|reading|videos|reports))?:?",
        r"more (?:stories|news|articles|headlines|coverage|reading)(?: (?:from|on|in|about) .{1,40})?:?",
        r"more (?:from|on) .{1,40}",
        r"(?:the )?most (?:read|popular|viewed|shared|commented|watched|recent)(?: (?:in|on|this|stories|news|today).{0,30})?:?",
        r"popular(?: (?:now|stories|posts|articles|news|searches|videos))?:?",
        r"(?:search |now )?trend(?:s|ing)(?: (?:now|stories|topics|news|searches|articles|on .{1,20}|in .{1,20}))?:?",
        r"(?:hot|top|the latest|latest) (?:topics|news|words|stories|headlines|articles|posts|videos|updates):?",
        r"recent (?:posts|articles|stories|comments|news):?",
        r"recommended(?: (?:for you|stories|reading|articles|videos))?:?|recommendations:?",
        r"(?:stories )?you (?:may|might|could|will)(?: also| have)? (?:like|enjoy|missed|be interested in)(?: .{1,20})?:?",
        r"(?:also|must)[ -]read:?|(?:read|see) also:?|read (?:next|more)(?: (?:stories|articles|news|from|on|about).{0,40})?:?",
        r"further reading:?|keep reading:?|what to read next:?|up next:?|next up:?",
        r"(?:editor['’]s|editors['’]) (?:picks?|choice|selection):?|don['’]t miss:?|in case you missed it:?",
        r"(?:elsewhere|around|from) (?:on |around )?the web:?|(?:sponsored|promoted|paid) (?:content|links|stories):?",
        r"in this section:?|on this page:?|in other news:?|other (?:news|stories|headlines):?|explore more:?|more to explore:?",
        r"newspapers (?:in|from) .{1,30}",
    )
)
"""Heads of lists of other articles."""

TAG_HEADS = _rules(
    (r"(?:tags?|topics?|keywords?|key words|filed under|categor(?:y|ies)|labels?|tagged(?: as| with)?)\s?:?",)
)

_CALLS = _rules(
    (
        rf"(?:please )?(?:share|save|print|e-?mail|bookmark|rate|like|comment on|recommend|cite) (?:this|the) (?:{_ARTICLE}|link)"
        r"(?: (?:on|via|with|to|by) .{1,40})?\W*",
        rf"(?:please )?share (?:this )?(?:on|via|with) (?:{_NETWORK}|e-?mail|friends|a friend).{{0,60}}",
        rf"(?:follow|like|find|join|watch|add|visit|connect with) (?:us|me|our \w+|him|her|them|@\w+|(?-i:{_NAME})) (?:on|at) "
        rf"@?{_NETWORK}\b.{{0,120}}",
        rf"(?:follow|join|visit|like|check out|subscribe to|support|tune in to) our (?:\w+ ){{0,2}}(?:{_LETTER}|page|group|account|"
        rf"website|app|community|{_NETWORK})\b.{{0,120}}",
        rf"follow @\w+.{{0,60}}|(?:watch|listen|follow|find|read) (?:it |this |us |more )?on {_NETWORK}",
        r"subscribe(?:,? (?:now|today|here|for free)\b.{0,120}|,? or (?:log|sign) in.{0,60})",
        rf"subscribe (?:to|for) (?:[\w'’&-]+ ){{0,4}}{_LETTER}\b.{{0,160}}",
        rf"sign[- ]?up (?:now|today|here|below|to (?:receive|get|our)\b|for (?:[\w'’&-]+ ){{0,4}}{_LETTER}\b).{{0,200}}",
        r"by (?:signing up|subscribing|continuing|clicking|registering|submitting)\b.{0,60}\b(?:agree|accept|consent)\b.{0,200}",
        r"(?:you can )?unsubscribe (?:at any time|anytime|here)\b.{0,80}",
        r"get (?:[\w'’&-]+ ){0,6}(?:stories|news|updates|headlines|newsletter|alerts|articles|briefing|digest) .{0,40}?"
        r"\b(?:sent|delivered|inbox|to you|by e-?mail)\b.{0,200}",
        r"get (?:our|the) (?:free |daily |weekly |new )?(?:app|newsletter)\b.{0,120}",
        r"(?:don['’]t|never) miss (?:an?|any|another|our|the latest) (?:\w+ )?(?:story|stories|news|updates?|articles?|episode|"
        r"headlines?|post|issue)\b.{0,120}",
        r"download (?:our|the|this) (?:free |mobile |latest |new |[\w'’]+ )?(?:app|pdf|article|audio|transcript)\b.{0,80}",
        r"download (?:now|as pdf|pdf|image|here)",
        r"(?:already|not yet|are you|not) an? (?:subscriber|member|registered user)\b.{0,120}",
        r"(?:log|sign) in (?:to (?:read|continue|comment|your)|or|with|here|now)\b.{0,100}",
        r"(?:create|open) (?:a|your) (?:free )?account\b.{0,80}|register (?:for free|here|now|to (?:read|continue))\b.{0,80}",
        rf"this (?:{_ARTICLE}|content) is (?:(?:an?|only|exclusively|available|reserved|for|part of our) ){{1,4}}(?:premium|"
        r"subscribers?|members|exclusive|paid|plus)\b.{0,160}",
        rf"this is an? (?:premium|subscriber|members?|paid|exclusive)[ -](?:only )?{_ARTICLE}\b.{{0,160}}",
        r"(?:to )?(?:continue|keep) (?:reading|watching|listening)(?:$|,? (?:this|with|the|your|after|below|for)\b.{0,120}|\W.{0,120})",
        rf"(?:{_ARTICLE}|content|advertisement|scroll|scroll down) (?:continues?|to continue)(?: (?:below|after|beneath|reading).{{0,60}})?",
        r"advertisement\s?[-–—:|].{0,60}|continued (?:on|from) (?:page|p\.).{0,20}",
        r"skip to (?:the )?(?:main |page )?(?:content|navigation|search|footer|comments|menu|article|end|next).{0,30}",
        r"jump to (?:content|comments|navigation)",
        r"(?:click|tap) (?:here|on the (?:link|image|photo|map|picture)|the (?:link|image|photo))\b.{0,160}",
        r"view (?:this|the|in|all|full|original) (?:e-?mail|page|gallery|full|article|image|browser|size|photo|post|comments|version)"
        r"\b.{0,60}",
        rf"(?:please )?(?:donate (?:now|today|here|to (?:us|our|support))|support (?:us|our {_JOURNALISM}|(?:independent|quality|local|"
        r"public) (?:journalism|media|reporting|news))|consider (?:supporting us|supporting our|making a (?:donation|contribution)|"
        r"becoming an? (?:member|subscriber|supporter)))\b.{0,160}",
        r"(?:if|did|do) you (?:enjoy|enjoyed|like|liked|value|appreciate|find|found) (?:this|our|what)\b.{0,60}\b(?:consider|donat\w+|"
        r"support|subscrib\w+|sharing|sign up|contribut\w+|journalism)\b.{0,160}",
        rf"(?:help us|your (?:support|donation|contribution|gift))\b.{{0,60}}\b{_JOURNALISM}\b.{{0,120}}",
        r"become an? (?:\w+ )?(?:member|subscriber|patron|supporter)(?: (?:today|now|of our|for|from|and)\b.{0,100})?",
        r"(?:join|be part of) the (?:conversation|discussion)(?: (?:on|in|below|at)\b.{0,60})?",
        r"be the first to (?:comment|know|like|share)\W*|(?:leave|post|write|add|read|view|show|hide|see) (?:a|your|all|the|\d+)? ?"
        r"(?:comments?|reply|replies)\W*",
        r"you must (?:be )?(?:log|logged|sign|signed|registered)\b.{0,60}|your e-?mail address will not be.{0,80}|required fields are.{0,40}",
        r"(?:was this )?forwarded this (?:e-?mail|newsletter).{0,80}|(?:was this|has this) .{0,20}forwarded to you.{0,60}",
        r"you(?:['’]re| are)? (?:receiving|received) this (?:e-?mail|newsletter).{0,160}",
        r"send (?:us )?(?:your |any )?(?:letters?|tips?|comments?|feedback|news tips|questions?|story ideas?) ?.{0,30}(?:@|\bto us\b|here).{0,80}",
        r"(?:e-?mail|contact|write to|call) (?:us|the (?:author|writer|reporter|newsroom)|our \w+)(?: (?:at|on|via|by|here|for|with)\b.{0,60}|:.{0,60})?",
        r"(?:do you )?have an? (?:news )?(?:tip|story idea|story|question|comment)(?: for us| to share)?\?.{0,160}",
        r"(?:for|find|get) (?:more|further|additional|other|all) (?:information|news|details|stories|updates)\b.{0,60}?,? ?(?:please )?"
        r"(?:visit|click|go to|contact|follow us|call|at (?:www|https?))\b.{0,160}",
        r"(?:read|watch|view|learn|find out) (?:more|the (?:full|original|complete) (?:article|story|report|version|text|interview))"
        r"(?: (?:about|here|at|on|in|from)\b[^,]{0,80}|\s?[:：»→›>|].{0,160}|…|\.\.\.)?",
        r"(?:read|watch|must read|also read|also see|see also|related|also on \w+)(?: (?:also|next|this|now|more|story|stories|article|"
        r"articles|reading|coverage|links?|video))?\s?(?:[:：»→›]|>>).{1,160}",
        r"our (?:ethics|standards|editorial policy|journalism)\s?:.{0,160}",
        r"(?:we|this (?:site|website|page)|our (?:site|website|partners))(?: and our (?:\d+ )?partners)? (?:use|uses|store|stores|may use)\b"
        r".{0,60}\bcookies?\b.{0,500}|we (?:value|respect) your privacy\b.{0,500}",
        r"by (?:using|visiting|browsing)\b.{0,80}\bcookies?\b.{0,300}|cookies? (?:help us|notice|policy|settings|consent)\b.{0,200}",
        r"(?:please )?(?:enable|turn on|disable)\b.{0,20}\b(?:javascript|cookies|ad ?blocker)\b.{0,120}",
        r"your browser (?:does not|doesn['’]t|is (?:not|out))\b.{0,120}|javascript (?:is|must be)\b.{0,80}",
        r"an error (?:has )?occurred\W.{0,60}|this video (?:is (?:unavailable|not available)|can(?:not|['’]t) be played).{0,60}",
        r"(?:watch|check out|read|see|view|listen to|find) the (?:\w+ )?(?:video|clip|article|story|post|report|interview) (?:here|below)",
        r"to: .{1,60}\b(?:desks?|editors?|reporters?)|(?:media |press )?contacts?: .{1,120}",
        rf"(?:for|to) (?:full )?access to this {_ARTICLE}\b.{{0,30}}\b(?:subscribe|sign in|log in)\b.{{0,60}}",
        r"more on this (?:story|topic)\b.{0,20}[:→»].{0,160}",
        r"advertise (?:with|on|in) (?:us|[\w.]+(?: [\w.]+){0,2})|[\w-]+ (?:\w+ )?sharing button|(?:share|like|tweet) (?:button|icon)",
        r"this site uses\b.{0,80}\bspam\b.{0,120}|learn how your comment data is processed",
        r"(?:story|article|document|press release) (?:id|number|ref)\b.{0,30}",
    )
)
_ABOUT_ITSELF = _rules(
    (
        rf"\(?(?:(?:an? )?(?:earlier|previous|original|shorter|longer|different)? ?version of |portions of |parts of )?this "
        rf"(?:{_ARTICLE}|content)s?\b.{{0,60}}?\b(?:first|originally|previously) (?:appeared|published|ran|posted)\b.{{0,300}}",
        rf"\(?(?:(?:an? )?(?:earlier|previous|original|shorter|longer|different)? ?version of )this {_ARTICLE}\b.{{0,400}}",
        rf"\(?this {_ARTICLE} (?:was|were|is|has been|have been|had)(?: \w+){{0,2}} (?:published|republished|updated|corrected|amended|edited|"
        r"translated|produced|reproduced|reprinted|generated|auto-generated|adapted|excerpted|syndicated|made possible|part of|"
        r"supported by|sponsored|provided by)\b.{0,400}",
        rf"\(?this {_ARTICLE} has not been edited by\b.{{0,300}}",
        r"(?:the )?(?:views?|opinions?|statements?)(?:(?:,| and|,? or)? (?:views?|opinions?|statements?)){0,2} (?:expressed|presented) "
        rf"(?:(?:in|on) (?:this|the above) (?:{_ARTICLE}|website|site|section)|here(?:in)?|are|by the (?:author|writer|contributor)s? (?:are|do))"
        r"\b.{0,400}",
        r"\(?(?:first|originally) published (?:in|on|by|at) [^,]{1,60}|\(?originally published (?:by|at) .{1,120}|\(?(?:re)?published (?:with|by) (?:the )?permission\b.{0,160}",
        r"\(?(?:reprinted|reproduced) (?:with permission|from)\b.{0,120}",
        r"(?:corrections?|clarifications?|updates?)(?: appended)?\s?(?:\([^()]{1,40}\))?\s?[:–—-]\s?.{0,60}\b(?:article|story|version|report|"
        r"piece|headline|caption)\b.{0,300}",
        r"the (?:author|writer|reporter) can be (?:reached|contacted|followed) (?:at|on|via)\b.{0,120}|about the authors?\W?",
        rf"[^.]{{1,160}}\bcontributed (?:to this (?:{_ARTICLE})|reporting)\b[^.]{{0,60}}",
        r"\(?(?:additional |further )?(?:reporting|writing|editing|translation|research|translated|compiled|edited|reported)"
        rf"(?: and (?:writing|editing|reporting))? by:? {_CREDITED}",
        r"[—–-]?\s?(?:from|with|by) (?:wire|staff|news|agency|agencies|news agency) (?:reports|services|wires|inputs)(?: and .{1,40})?",
        r"\(?with (?:[\w/&-]+ ){1,3}inputs|\(?with (?:inputs?|files|(?:additional )?reporting|contributions?) (?:from|by)\b.{0,120}|\((?:inputs|agencies|with agencies)\)",
    )
)
_RIGHTS = _rules(
    (
        r"(?:text |all content |content )?(?:copyright|\(c\)|©|℗)\s?(?:\(c\)|©|\d{4}|:|by (?-i:[^\W\d_a-z])).{0,400}|©.{0,400}",
        r".{0,120}?(?:©|\(c\)) ?\d{4}.{0,200}|.{0,300}\ball rights (?:are )?reserved\b.{0,300}",
        rf"(?:this (?:material|content|copy|website|publication|{_ARTICLE})|no part of this|reproduction of this)\b.{{0,60}}\b(?:may|must|can|"
        r"shall)(?: not|not)?\b.{0,60}\b(?:published|reproduced|redistributed|broadcast|copied|reprinted)\b.{0,300}",
        r"(?:reproduction|redistribution|republication|reprinting|republishing)\b.{0,80}\b(?:is (?:strictly )?prohibited|without "
        r"(?:prior |written |express |the )*(?:permission|consent))\b.{0,200}",
    )
)
_COUNTERS = _rules(
    (
        r"[\d.,]+\s?[km]?\s(?:comments?|shares?|views?|likes?|repl(?:y|ies)|retweets?|reposts?|votes?|reads?|followers?|claps?)",
        r"(?:(?:comments?|shares?|views?|likes?|replies|reads?|hits|page ?views|pages)\s?[:(]\s?[\d.,]+\s?[km]?\s?\)?[\s,|]*){1,4}",
        r"(?:reading time|time to read|read time|estimated reading time|duration|runtime)\s?[:-]?\s?(?:about )?[\d:]+\s?"
        r"(?:min(?:ute)?s?|sec(?:ond)?s?)?(?: read)?",
        r"(?:about )?\d{1,3}[ -]?min(?:ute)?s?[ -](?:to )?(?:read|listen|watch|video)|\d{1,3} (?:seconds?|minutes?|hours?|days?) ago|just now",
        r"(?:page|slide|image|photo|picture)\s?\d{1,4}(?:\s?(?:of|/)\s?\d{1,4})?|\d{1,3}(?: of | / )\d{1,3}|[-–—|]\s?\d{1,4}\s?[-–—|]",
        r"\(?(?:photo|image|picture)s? (?:credits?|source)\)?|\(ends?\)|ends",
        r"(?:font|text) size\b.{0,20}|a[+-]?\s?a[+-]?(?:\s?a[+-]?)?",
    )
)
_WIRE_SIGN = re.compile(r"(?:afp|ap|upi|pti|ani|efe|dpa)(?:/[a-z]{2,4}){1,3}|[a-z]{2,3}(?:/[a-z]{2,3}){2}")
_ADDRESS = _rules(
    (
        r"(?:(?:e-?mail|contact|web(?:site)?|url|link|source|via|twitter|press contact|media contact)\s?[:.]\s?)?(?:<?https?://\S{1,300}|"
        r"<?www\.\S{1,200}|[\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]{1,30}){1,4}|@\w{2,30})(?:[,;|\s]+(?:https?://\S{1,300}|@\w{2,30}|"
        r"[\w.+-]{1,60}@[\w.-]{1,60}))?",
        r"(?:(?:phone|tel|telephone|fax|contact|call)\s?[:.]\s?\+?|\+)\d[\d ()/.-]{6,20}",
    )
)
_TAGS = _rules(
    (
        r"#[^\W\d]\w{1,40}(?:[,\s]+#\w{2,40}){0,20}",
        r"(?:tags?|topics?|keywords?|filed under|categor(?:y|ies)|tagged(?: as| with| under)?)\s?[:：].{1,200}",
    )
)

_MEDIA = r"(?:photo(?:graph|graphy)?|image|picture|pic|illustration|graphic|infographic|video|screenshot|screengrab|caption)s?"
_CREDITOR = (
    r"(?:AFP|AP|AP Photo|CFP|CGTN|EPA|EPA-EFE|EFE|Getty Images|Getty|Reuters|REUTERS|Shutterstock|TASS|VCG|Xinhua|iStock|Alamy|"
    r"Unsplash|Sputnik|Flickr|Wikimedia Commons|DPA|dpa|PTI|ANI|PA|Bloomberg|NASA|ESA|JAXA|Roscosmos|Handout|Pool|IC)"
)
_SHARED_CREDIT = rf"(?:{_CREDITOR}\s?/\s?{_NAME}|{_NAME}\s?/\s?{_CREDITOR}|{_NAME}\s?/\s?(?:{_CAPITALISED} )?(?:Press|Images|Pool|Photos?))"
_SOURCE = r"(?:\s?[:©/]\s?| by | courtesy of )"
_CAPTION_STARTS = re.compile(
    rf"(?i:(?:file |stock |cover |aerial |handout |top |main )?{_MEDIA}(?: caption| source| credits?| courtesy(?: of)?| from| via)?\s?[:©/]\s?\S.*)"
    rf"|(?i:{_MEDIA} (?:credits?|courtesy)(?: of| by)? \S.{{0,80}})|(?i:{_MEDIA}) (?:by|via|©) {_CREDITED}.?"
    r"|(?i:credits?\s?:\s?\S.{0,100})|(?i:courtesy(?: of|:)) .{1,60}"
    r"|(?i:(?:this|an?|the)? ?(?:undated |recent )?(?:file|handout|undated|archive|stock|combination|composite) (?:photo|picture|image|"
    r"photograph|combo)s?\b.{1,300})"
    r"|(?i:(?:this|the|an?) (?:photo|picture|image|photograph|screengrab|screenshot|video grab) (?:taken|released|provided|shot|supplied|"
    r"made available|dated|captured) .{1,300})"
)
_CAPTION_ENDS = re.compile(
    rf"(?:\[(?i:{_MEDIA}|file {_MEDIA}|{_CREDITOR})\s?[:/|][^\[\]]{{1,80}}\]"
    rf"|\((?i:{_MEDIA}(?: credits?| courtesy)?(?: of| by|:| ?/)|courtesy(?: of|:)|credits?:|file {_MEDIA}|AP Photo|handout|via )[^()]{{0,80}}\)"
    rf"|\((?:{_SHARED_CREDIT}|AFP|Getty Images|Shutterstock|CFP|VCG|EPA|iStock|Alamy)\)"
    rf"|\((?:{_CREDITOR}) (?i:photo|file photo|image|pic)s?\)|(?<![\w/]){_SHARED_CREDIT}|(?<=[\s.;|(])(?i:photo|image|picture|photograph|photo credit|image credit|credit){_SOURCE}{_NAME}"
    rf"(?:\s?(?:/|via|and|,)\s?(?:The )?{_NAME}){{0,2}}\)?|(?:via|/|\|)\s?(?:Getty Images|Shutterstock|Wikimedia Commons|iStock|Alamy))\.?$"
)
_CREDIT_HINT = re.compile(r"[/\[(:©|]|\s(?:via|by|of)\s")
"""Without one of these there is no credit; looking for them costs a tenth."""
_RIGHTS_HINT = re.compile(
    r"©|℗|\(c\)|copyright|reserved|reproduc|redistrib|republi|reprint|broadcast|published|copied", re.IGNORECASE
)
_INNER_END = re.compile(r"(?<![\s.][^\W\d_a-z])[.!?][\"'”’)]?\s+(?=[^\W\d_a-z\"“])")
"""A caption of several sentences may be a paragraph with a picture beside it: only its credit is no part of it."""
_MAX_CAPTION = 400
_LONGEST_CREDIT = 120

_FENCE = re.compile(r"[\"'“”‘’´]{0,2}(?:`{1,4}|~~~)[\"'“”‘’´]{0,2}[a-z]{0,10}")
_LINKS = re.compile(r"(?:(?:[-*+•|/·>]\s?)?!?\[[^\[\]]{0,80}\]\([^()\s]{0,300}\)\s?){2,60}[|/·>]?")
_RULE = re.compile(r"\|[\s|:-]*-[\s|:-]*\||[|:\s+=-]*-{3}[|:\s+=-]*|={3,}|(?:\s?[*_-]){3,}|[.…]{1,3}")
_CODE = re.compile(r"[{}()<>;=\\$]")
_SEPARATOR = re.compile(r"\s+/\s+|\s*[|>›»·•]\s*")
_DECORATION = re.compile(r"[^\w({\[<=]+(?=\w)")
_MARKS_BEHIND = " \t\u00a0:.…!»›>→|*_"
_OPENING = re.compile(r"^(?:[-*+•>▶►→»✉☰]|\W(?<![\[(\"'“‘«„#@<©(|$€£¿¡.]))*\s*(?:\*\*|__)?")
_LONGEST_ENTRY = 60
_MENU_ITEM = 5
_LEAST_ITEMS = 3

NOTE = re.compile(
    r"[*_(\[]*(?:editor['’]?s['’]?|editors['’]?|editorial|publisher['’]s|ed\.|translator['’]s) note\b[*_]*\s?[:：.–—-]?[*_]*\s*",
    re.IGNORECASE,
)
"""The label of a note; what follows it may be about the making of the article or tell a part of it."""
_META = re.compile(
    rf"\b(?:this|an earlier|a previous) {_ARTICLE}\b|\b(?:updated|corrected|correction|clarif\w+|translated|republished|newsletter|"
    r"subscribe|(?:views?|opinions?) (?:expressed|are)|originally published)\b",
    re.IGNORECASE,
)
_BIOGRAPHY = re.compile(
    r"(?:the (?:author|writer|columnist|contributor)s?) (?:is|are) (?:an? |the |with )\S.{0,280}",
    re.IGNORECASE | re.DOTALL,
)
_SIGNED_OFF = re.compile(
    rf"(?<=[.!?\"”’)])\s+(\((?:{'|'.join(map(re.escape, AGENCIES.values()))}|Agencies|with agencies)\)|Enditem|Item ends|"
    r"(?:AFP|ANI|AP|EFE|IANS|PTI|TASS|UPI|Xinhua|REUTERS)|[■◼▪◾]|\[ends?\])\s*$"
)


def bare(line: str) -> str:
    """A short line in lower case without what decorates it: ``» Share:`` → ``share``."""
    if len(line) > _LONGEST_ENTRY:
        return line
    before = _DECORATION.match(line)
    return " ".join(line[before.end() if before else 0 :].rstrip(_MARKS_BEHIND).lower().split())


def is_boilerplate(line: str) -> bool:
    """Whether a line is no part of an article for what it says itself; see also ``bylines``."""
    if len(line) > MAX_LINE:
        return False
    if not any(char.isalnum() for char in line):
        return not _RULE.fullmatch(line) and not _CODE.search(line)
    if bare(line) in BUTTONS and not line.startswith("#"):
        return True
    said = _OPENING.sub("", line)
    if _COUNTERS.fullmatch(line) or any(rules.fullmatch(said) for rules in (_CALLS, _ABOUT_ITSELF, _ADDRESS, _TAGS)):
        return True
    if _RIGHTS_HINT.search(said) and _RIGHTS.fullmatch(said):
        return True
    return bool(_WIRE_SIGN.fullmatch(line) or _FENCE.fullmatch(line)) or _is_caption(said) or _is_menu(line)


def _is_caption(line: str) -> bool:
    if len(line) > _MAX_CAPTION:
        return False
    line = line.strip("*_ ")
    if _CAPTION_STARTS.fullmatch(line):
        return True
    begins = None if _SIGNED_OFF.search(line) else credit(line)
    return begins is not None and len(_INNER_END.findall(line[:begins].rstrip())) == 0


def credit(paragraph: str) -> int | None:
    """Where the credit of a picture begins at the end of a paragraph; ``None`` without one."""
    beginning = max(0, len(paragraph) - _LONGEST_CREDIT)
    match = _CAPTION_ENDS.search(paragraph, beginning) if _CREDIT_HINT.search(paragraph, beginning) else None
    return match.start() if match else None


def _is_menu(line: str) -> bool:
    """Whether a line is a row of entries, of which one at least is known: ``Home > World > Asia``."""
    if _LINKS.fullmatch(line):
        return True
    if line.startswith("|") or line[-1:] in ".!?":
        return False
    items = [item for item in _SEPARATOR.split(line) if item]
    if len(items) < _LEAST_ITEMS or any(len(item.split()) > _MENU_ITEM for item in items):
        return False
    return any(bare(item) in NAVIGATION or bare(item) in BUTTONS for item in items)


def is_caption(line: str) -> bool:
    """Whether a line describes a picture or names where it is from."""
    return _is_caption(_OPENING.sub("", line))


def is_about_article(note: str) -> bool:
    """Whether an editor's note speaks of how the article was made, not of its subject."""
    return len(note) <= MAX_LINE and bool(_META.search(note) or is_boilerplate(note))


def is_biography(line: str) -> bool:
    """Whether a paragraph below an article says who wrote it."""
    return bool(_BIOGRAPHY.fullmatch(line))


def signature(paragraph: str) -> int | None:
    """Where the sign of an agency or a picture's credit begins at the end of a paragraph; ``None`` without one.

    ``It rained. (AFP)`` → 10.
    """
    match = _SIGNED_OFF.search(paragraph)
    return match.start(1) if match else credit(paragraph)
