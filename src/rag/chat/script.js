// Fills the sources panel and answers clicks on markers. All HTML was escaped on the server; it is only cloned here.
(() => {
	"use strict";
	let shownTurn = "";
	let shownSources = "";
	let latestTurn = "";
	let origin = null;

	const panelBody = () => document.querySelector(".panel-body");
	const liveTurn = () => document.querySelector("#rag-live .turn");
	const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

	const show = (turn) => {
		const body = panelBody();
		const sources = turn.querySelector(":scope > .sources");
		if (!body || !sources || (shownTurn === turn.dataset.turn && shownSources === sources.innerHTML)) return;
		if (shownTurn !== turn.dataset.turn) body.closest("#rag-panel").scrollTop = 0;
		shownTurn = turn.dataset.turn;
		shownSources = sources.innerHTML;
		const active = body.querySelector(".card.active")?.dataset.number;
		body.replaceChildren(...sources.cloneNode(true).childNodes);
		if (active) body.querySelector(`.card[data-number="${active}"]`)?.classList.add("active");
	};

	const press = (marker) => {
		document.querySelectorAll(".marker[aria-pressed]").forEach((other) => other.removeAttribute("aria-pressed"));
		marker?.setAttribute("aria-pressed", "true");
	};

	const rest = () => panelBody()?.querySelectorAll(".card.active").forEach((card) => card.classList.remove("active"));

	const follow = (marker) => {
		show(marker.closest(".turn"));
		const card = panelBody()?.querySelector(`.card[data-number="${marker.dataset.cite}"]`);
		if (card) activate(card, marker);
	};

	const activate = (card, marker) => {
		rest();
		const folded = card.closest("details");
		if (folded) folded.open = true;
		card.classList.add("active");
		press(marker);
		origin = marker;
		card.focus({ preventScroll: true });
		card.scrollIntoView({ behavior: motion(), block: "start" });
		const mark = card.querySelector("mark");
		if (mark && mark.getBoundingClientRect().bottom - card.getBoundingClientRect().top > innerHeight * 0.7) {
			mark.scrollIntoView({ behavior: motion(), block: "center" });
		}
	};

	const unfold = (card) => {
		const turn = document.querySelector(`.turn[data-turn="${shownTurn}"]`);
		activate(card, turn?.querySelector(`.marker[data-cite="${card.dataset.number}"]`));
	};

	const goBack = () => {
		if (!origin?.isConnected) return;
		origin.focus({ preventScroll: true });
		origin.scrollIntoView({ behavior: motion(), block: "center" });
	};

	const welcomeBack = () => {
		const body = panelBody();
		if (shownTurn && body) {
			body.replaceChildren(emptyPanel.cloneNode(true));
			shownTurn = shownSources = latestTurn = "";
		}
	};

	// Not on touch screens, where it would open the keyboard over the answer.
	const toQuestionBox = () => {
		const box = document.querySelector("#rag-box textarea");
		if (!box) return false;
		box.dir = "auto";
		if (matchMedia("(pointer: fine)").matches) box.focus({ preventScroll: true });
		return true;
	};

	let emptyPanel = null;
	let opened = false;
	const update = () => {
		emptyPanel ??= document.querySelector(".panel-empty")?.cloneNode(true) ?? null;
		opened ||= toQuestionBox();
		const turn = liveTurn();
		if (!turn) return emptyPanel && welcomeBack();
		if (turn.dataset.turn !== latestTurn) {
			latestTurn = turn.dataset.turn;
			press(null);
			rest();
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
		let line = document.querySelector(".lost");
		if (words && !line) {
			line = document.querySelector("#rag-composer")?.appendChild(document.createElement("p"));
			line?.setAttribute("role", "alert");
			line?.setAttribute("class", "notice lost");
		}
		if (line && line.textContent !== words) line.textContent = words;
		setTimeout(watch, 3000);
	};
	watch();

	document.addEventListener("click", (event) => {
		const marker = event.target.closest?.(".marker");
		if (marker) follow(marker);
		else if (event.target.closest?.(".back")) goBack();
		else if (event.target.closest?.(".more")) unfold(event.target.closest(".card"));
		// These buttons vanish when used, and the focus with them.
		else if (event.target.closest?.("#rag-stop, #rag-retry, #rag-new, #rag-examples button")) toQuestionBox();
	});
	document.addEventListener("keydown", (event) => {
		if (event.key === "Escape" && document.activeElement?.closest(".panel")) goBack();
	});
})();
