// SPDX-License-Identifier: GPL-2.0-only
// What the page can do beyond standing there: tables that sort, designs and a trace to pick, values under
// the pointer. Everything is on the page without it.
"use strict";
(() => {
const $ = (sel, root = document) => [...root.querySelectorAll(sel)];
const make = (tag, props = {}, ...kids) => {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(props))
		k in e ? e[k] = v : e.setAttribute(k, v);
	e.append(...kids);
	return e;
};

/* ---- sorting: a button in each heading; parts of a table (designs, bounds) each by themselves ---- */

const key = (row, column) => {
	const cell = row.cells[column];
	return column && cell ? (cell.dataset.v === undefined ? NaN : +cell.dataset.v) : cell.innerText.trim();
};

/* What has no value stands last, whichever way it goes. */
const compare = (a, b, up) => {
	if (typeof a === "string")
		return up * a.localeCompare(b);
	if (isNaN(a) || isNaN(b))
		return isNaN(a) - isNaN(b);
	return up * (a - b);
};

const sort = (table, th, column) => {
	const up = th.getAttribute("aria-sort") === "ascending" ? -1 : 1;
	for (const other of $("th[aria-sort]", table))
		other.removeAttribute("aria-sort");
	th.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
	for (const body of table.tBodies)
		body.append(...[...body.rows].map((row, i) => [key(row, column), i, row])
			.sort((a, b) => compare(a[0], b[0], up) || a[1] - b[1]).map(e => e[2]));
};

for (const table of $("table.sort")) {
	[...table.tHead.rows[0].cells].forEach((th, column) => {
		const button = make("button", { type: "button", className: "by",
			ariaLabel: "sort by " + th.innerText.replace(/\s+/g, " ").trim() });
		button.onclick = () => sort(table, th, column);
		th.append(button);
	});
}

/* ---- picking designs: the others lose their colour in charts and their lines in tables ---- */

const models = $("#designs tr[data-m]").map(tr => ({ number: tr.dataset.m, name: tr.dataset.label }));
const picked = new Set();
const root = document.documentElement.style;

const show = only => {
	for (const m of models) {
		const off = only.size && !only.has(m.number);
		off ? root.setProperty("--m" + m.number, "var(--off)") : root.removeProperty("--m" + m.number);
	}
};

const pick = () => {
	show(picked);
	for (const e of $("tr[data-m]"))
		e.hidden = !e.closest("#designs") && picked.size > 0 && !picked.has(e.dataset.m);
	for (const chip of $(".chip"))
		chip.setAttribute("aria-pressed", picked.has(chip.dataset.m));
	all.hidden = !picked.size;
};

const all = make("button", { type: "button", className: "all", textContent: "show all", hidden: true });
all.onclick = () => { picked.clear(); pick(); };

const chip = m => {
	const b = make("button", { type: "button", className: "chip", "data-m": m.number, "aria-pressed": "false" },
		make("i", { className: "swatch m" + m.number }), m.name);
	b.onclick = () => {
		picked.delete(m.number) || picked.add(m.number);
		pick();
	};
	b.onpointerenter = () => picked.size || show(new Set([m.number]));
	b.onpointerleave = () => show(picked);
	return b;
};

/* ---- picking a trace: its section alone, its column alone ---- */

const sections = $("details.trace");

const pickTrace = number => {
	for (const s of sections) {
		s.hidden = number !== "" && s.dataset.t !== number;
		if (s.dataset.t === number)
			s.open = true;
	}
	for (const table of $("table.matrix")) {
		const columns = [...table.tHead.rows[0].cells];
		const known = columns.some(th => th.dataset.t === number);
		for (const row of table.rows)
			columns.forEach((th, i) => {
				row.cells[i].hidden = known && i > 0 && th.dataset.t !== number;
			});
	}
};

const tools = document.getElementById("tools");
if (models.length > 1)
	tools.append(make("div", { className: "chips", role: "group", ariaLabel: "Designs to show" },
		make("span", { textContent: "Designs" }), ...models.map(chip), all));
if (sections.length > 1) {
	const select = make("select", {}, make("option", { value: "", textContent: "all" }),
		...sections.map(s => make("option", { value: s.dataset.t, textContent: s.dataset.id })));
	select.onchange = () => pickTrace(select.value);
	tools.append(make("label", {}, "Trace ", select));
	/* A link to a section that is hidden must still work. */
	addEventListener("hashchange", () => {
		const s = document.querySelector(location.hash || "main").closest("details.trace");
		if (s && s.hidden) {
			select.value = "";
			pickTrace("");
			s.scrollIntoView();
		}
	});
}
tools.hidden = false;

/* ---- values under the pointer ---- */

const count = v => v === undefined ? "" : v.toLocaleString("en");
const time = ns => ns === undefined ? "" : ns >= 1e9 ? (ns / 1e9).toPrecision(3) + " s" :
	ns >= 1e6 ? (ns / 1e6).toPrecision(3) + " ms" : ns >= 1e3 ? (ns / 1e3).toPrecision(3) + " µs" :
	Math.round(ns) + " ns";

/* From lines of numbers and the designs shown, a function: what to say at x, as [heading, column names,
   [[number of the design, values...]...]]. */
const readers = {
	timeline: (lines, shown) => x => {
		const width = lines[0][0], bin = Math.min(Math.floor(x / width), lines[1].length - 1);
		return ["from " + time(bin * width * 1e9), ["out of sync", "exits", "in resyncs"],
			shown.map((m, i) => [m, count(lines[1 + 3 * i][bin]), count(lines[2 + 3 * i][bin]),
				time(lines[3 + 3 * i][bin])])];
	},
	latency: (lines, shown) => {
		const share = (own, x) => {
			let below = 0, all = 0;
			for (let i = 0; i < own.length; i += 2) {
				all += own[i + 1];
				below += own[i] <= x ? own[i + 1] : 0;
			}
			return all ? (100 * below / all).toFixed(2) + " %" : "no resyncs";
		};
		return x => ["at most " + time(x), ["share of resyncs"], shown.map((m, i) => [m, share(lines[i], x)])];
	},
};

/* A panel for each thing that was varied, with points at some values of it: the nearest one speaks. */
const growth = (show, what) => (lines, shown, raw) => (x, panel) => {
	const own = panel * (shown.length + 1), [name, ...at] = raw[own].split(" ");
	const far = v => Math.abs(Math.log(v / x));
	const i = at.map(Number).reduce((best, v, k, all) => far(v) < far(all[best]) ? k : best, 0);
	return [name + ": " + at[i], [what], shown.map((m, k) => [m, lines[own + 1 + k][i]])
		.map(([m, v]) => [m, v < 0 ? "" : show(v)])];
};
readers["growth-times"] = growth(time, "each CR3 write");
readers["growth-counts"] = growth(v => String(v), "exits, each CR3 write");

const tip = make("div", { className: "tip", role: "status", hidden: true });
document.body.append(tip);

const say = ([heading, columns, lines]) => {
	tip.replaceChildren(make("b", { textContent: heading }), make("table", {},
		make("thead", {}, make("tr", {}, make("th"), ...columns.map(c => make("th", { textContent: c })))),
		make("tbody", {}, ...lines.filter(l => !picked.size || picked.has(l[0])).map(([m, ...values]) =>
			make("tr", {}, make("th", {}, make("i", { className: "swatch m" + m }),
				models.find(e => e.number === m).name),
			...values.map(v => make("td", { textContent: v })))))));
	tip.hidden = false;
};

const place = (x, y) => {
	const box = tip.getBoundingClientRect(), wide = document.documentElement.clientWidth;
	tip.style.left = Math.max(4, x + 18 + box.width > wide ? Math.min(x - 18, wide - 4) - box.width : x + 18) + "px";
	tip.style.top = Math.max(4, Math.min(y + 12, innerHeight - box.height - 4)) + "px";
};

const watch = (svg, read) => {
	const panels = svg.parentElement.dataset.panels.split(";").map(p => p.split(" ").map(Number));
	const lines = panels.map(() => document.createElementNS(svg.namespaceURI, "line"));
	const apart = panels[0][7] === 1; /* each shows something else, with a scale of its own */
	let last = -1, at = 0; /* share of a panel's width; which panel, if they are apart */

	lines.forEach((line, i) => {
		const [x, y, , h] = panels[i];
		line.setAttribute("class", "cross");
		for (const [k, v] of Object.entries({ x1: x, x2: x, y1: y, y2: y + h }))
			line.setAttribute(k, v);
		line.style.visibility = "hidden";
		svg.append(line);
	});
	const leave = () => {
		tip.hidden = true;
		lines.forEach(l => l.style.visibility = "hidden");
	};
	const value = (panel, share) => panel[6] ? panel[4] * (panel[5] / panel[4]) ** share :
		panel[4] + share * (panel[5] - panel[4]);
	const go = (share, panel, x, y) => {
		last = share;
		at = apart ? panel : 0;
		lines.forEach((line, i) => {
			line.setAttribute("transform", `translate(${share * panels[i][2]} 0)`);
			line.style.visibility = apart && i !== at ? "hidden" : "visible";
		});
		say(read(value(panels[at], share), at));
		place(x, y);
	};
	svg.onpointermove = e => {
		const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(svg.getScreenCTM().inverse());
		const k = panels.findIndex(([x, y, w, h]) =>
			p.x >= x && p.x <= x + w && p.y >= y - 20 && p.y <= y + h + 20);
		k < 0 ? leave() : go((p.x - panels[k][0]) / panels[k][2], k, e.clientX, e.clientY);
	};
	svg.onpointerleave = leave;
	svg.onblur = leave;
	svg.onkeydown = e => {
		const step = { ArrowLeft: -0.005, ArrowRight: 0.005, PageDown: 0.1, PageUp: -0.1, Home: -1, End: 1 }[e.key];
		const box = svg.getBoundingClientRect();
		if (e.key === "Escape")
			leave();
		if (!step)
			return;
		e.preventDefault();
		let share = (last < 0 ? 0.5 : last) + step;
		/* From the end of one panel to the beginning of the next. */
		if (apart && share > 1 && at + 1 < panels.length) {
			at++;
			share = 0;
		} else if (apart && share < 0 && at > 0) {
			at--;
			share = 1;
		}
		go(Math.min(1, Math.max(0, share)), at, box.right, Math.max(box.top, 0));
	};
	svg.setAttribute("tabindex", "0");
};

for (const figure of $("figure[data-kind]")) {
	const raw = figure.querySelector(".data").textContent.replace(/\n$/, "").split("\n");
	const lines = raw.map(l => l === "" ? [] : l.split(" ").map(Number));
	const read = readers[figure.dataset.kind](lines, figure.dataset.models.split(" "), raw);
	for (const svg of $("[data-panels] > svg", figure))
		watch(svg, read);
}

/* ---- on paper everything is open ---- */

addEventListener("beforeprint", () => $("details:not([open])").forEach(d => {
	d.open = true;
	d.dataset.shut = "";
}));
addEventListener("afterprint", () => $("details[data-shut]").forEach(d => {
	d.open = false;
	delete d.dataset.shut;
}));
})();
