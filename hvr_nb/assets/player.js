"use strict";
// The player of moving things: pictures in step, a 3D scene, a wipe between pictures, curves over time.
// Everything it shows is in `data`; nothing is asked of a kernel or a network.
function openPlayer(root, data) {
  const make = (name, props = {}, ...inside) => {
    const node = Object.assign(document.createElement(name), props);
    node.append(...inside);
    return node;
  };
  const button = (text, act, props = {}) => {
    const made = make("button", { type: "button", textContent: text, ...props });
    made.addEventListener("click", act);
    return made;
  };
  const phone = () => root.clientWidth < 560;
  const { count, fps } = data, moving = count > 1;
  let now = 0, playing = false, before = 0, owed = 0, world = null, compared = null;
  root.hidden = false;

  const header = make("header");
  if (data.title) header.append(make("h1", { textContent: data.title }));
  if (data.note) header.append(make("span", { className: "soft", textContent: data.note }));
  if (header.childNodes.length) root.append(header);
  const stage = make("div", { className: "stage" });
  root.append(stage);

  // pictures: one in `every` frames is kept; all are decoded once, by the browser
  const films = data.panels.map(panel => ({
    label: panel.label, aspect: panel.width / panel.height, size: [panel.width, panel.height],
    images: panel.frames.map(text => Object.assign(new Image(), { src: `data:${data.mime};base64,${text}` })),
    at(index) { return this.images[Math.min(this.images.length - 1, Math.floor(index / panel.every))]; },
  }));
  const screens = [];
  function addScreen(label, aspect, size, paint, keep = true) {
    const canvas = make("canvas", { width: size[0], height: size[1] });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label || data.title || "picture");
    const figure = make("figure", { className: "panel" }, canvas);
    if (label) figure.append(make("figcaption", { textContent: label }));
    const screen = { label: label || "pictures", aspect, figure, canvas, paint, on: keep };
    screens.push(screen); stage.append(figure);
    return screen;
  }
  function put(pen, image, then) {
    if (image.complete && image.naturalWidth) pen.drawImage(image, 0, 0, pen.canvas.width, pen.canvas.height);
    else image.onload = then;
  }
  for (const film of films) addScreen(film.label, film.aspect, film.size, function () {
    const wanted = now;
    put(this.canvas.getContext("2d"), film.at(now), () => { if (now === wanted) this.paint(); });
  });

  const pair = data.compare && data.compare.map(label => films.find(film => film.label === label));
  function paintDifference(pen) { // grey levels apart, doubled
    const [a, b] = pair.map(film => film.at(now));
    if (![a, b].every(image => image.complete && image.naturalWidth)) return;
    const { width, height } = pen.canvas;
    pen.globalCompositeOperation = "source-over"; pen.drawImage(a, 0, 0, width, height);
    pen.globalCompositeOperation = "difference"; pen.drawImage(b, 0, 0, width, height);
    pen.globalCompositeOperation = "lighter"; pen.drawImage(pen.canvas, 0, 0);
    pen.globalCompositeOperation = "source-over";
  }
  if (pair) {
    const difference = addScreen("difference x 2", pair[0].aspect, pair[0].size, function () { paintDifference(this.canvas.getContext("2d")); }, false);
    difference.canvas.setAttribute("aria-label", `difference of ${data.compare.join(" and ")}, doubled`);
  }
  let space = null;
  if (data.scene) {
    space = make("div", { className: "space" });
    const figure = make("figure", { className: "panel" }, space);
    screens.push({ label: "3D", aspect: data.sceneAspect, figure, paint() { if (world) world.show(now); }, on: true, space });
    stage.append(figure);
  }

  // the wipe: one picture to the left of the line, the other to its right
  const bar = make("div", { className: "bar" }), choices = make("div", { className: "choices" });
  if (pair) {
    const line = make("input", { type: "range", min: 0, max: 1000, value: 500 });
    line.setAttribute("aria-label", "place of the wipe");
    const names = [...films.map(film => film.label), "difference"];
    const sides = [0, 1].map(k => {
      const list = make("select", {}, ...names.map(name => make("option", { value: name, textContent: name })));
      list.value = data.compare[k]; list.setAttribute("aria-label", k ? "right of the wipe" : "left of the wipe");
      list.addEventListener("change", () => paintAll());
      return list;
    });
    const big = addScreen("", pair[0].aspect, pair[0].size, function () {
      const pen = this.canvas.getContext("2d"), { width, height } = this.canvas, cut = Math.round(width * line.value / 1000), wanted = now;
      sides.forEach((list, k) => {
        pen.save(); pen.beginPath(); pen.rect(k ? cut : 0, 0, k ? width - cut : cut, height); pen.clip();
        if (list.value === "difference") paintDifference(pen);
        else put(pen, films.find(film => film.label === list.value).at(now), () => { if (now === wanted) this.paint(); });
        pen.restore();
      });
      pen.fillStyle = "#fff"; pen.fillRect(cut - 1, 0, 2, height);
      pen.strokeStyle = "rgba(0,0,0,.6)"; pen.strokeRect(cut - 1.5, -1, 3, height + 2);
    }, false);
    big.label = "wipe"; big.canvas.className = "wipe"; big.canvas.setAttribute("aria-label", "wipe between two pictures: drag the line");
    const move = event => { const r = big.canvas.getBoundingClientRect(); line.value = 1000 * (event.clientX - r.left) / r.width; big.paint(); };
    big.canvas.addEventListener("pointerdown", event => { big.canvas.setPointerCapture(event.pointerId); move(event); });
    big.canvas.addEventListener("pointermove", event => { if (event.buttons) move(event); });
    line.addEventListener("input", () => big.paint());
    big.figure.append(make("div", { className: "tools sides" }, sides[0], line, sides[1]));
    compared = big;
    stage.prepend(big.figure);
    screens.unshift(screens.pop());
  }

  // what is shown: a switch for each, where there is a choice
  if (screens.length > 2) {
    choices.setAttribute("role", "group"); choices.setAttribute("aria-label", "what is shown");
    if (phone()) screens.forEach(screen => { screen.on = screen.label === "3D" || (pair ? data.compare.includes(screen.label) : screen.on); });
    for (const screen of screens) {
      const made = button(screen.label, () => {
        screen.on = !screen.on; made.setAttribute("aria-pressed", screen.on); layOut(); paintAll();
      });
      made.setAttribute("aria-pressed", screen.on);
      choices.append(made);
    }
  }

  const scrub = make("input", { type: "range", min: 0, max: Math.max(count - 1, 0), value: 0, step: 1 });
  scrub.setAttribute("aria-label", data.captions.length ? "picture" : "frame");
  const clock = make("span", { className: "clock" });
  const playButton = button("Play", () => play(!playing), { className: "play" });
  const speed = make("select", {}, ...[0.1, 0.25, 0.5, 1, 2].map(v => make("option", { value: v, textContent: `${v} x`, selected: v === 1 })));
  speed.setAttribute("aria-label", "speed");
  if (moving) {
    const step = by => () => { play(false); show(now + by); };
    const arrow = (text, by, label) => { const made = button(text, step(by)); made.setAttribute("aria-label", label); return made; };
    bar.append(playButton, arrow("\u25C0", -1, "previous frame"), arrow("\u25B6", 1, "next frame"), scrub, clock, speed,
      make("span", { className: "soft hint", textContent: "space: play, arrows: step" }));
    root.append(bar);
  }
  if (choices.childNodes.length) root.append(choices);
  scrub.addEventListener("input", () => { play(false); show(Number(scrub.value)); });

  // curves: a click goes to that frame, the button to the worst one
  const marks = data.curves.map(curve => {
    const NS = "http://www.w3.org/2000/svg", svg = document.createElementNS(NS, "svg");
    const known = curve.values.map((v, k) => [v, k]).filter(([v]) => v !== null);
    if (!known.length) return () => {};
    const sorted = known.slice().sort((a, b) => (curve.worst === "high" ? b[0] - a[0] : a[0] - b[0]));
    const worst = sorted[0], lo = Math.min(...known.map(([v]) => v)), hi = Math.max(...known.map(([v]) => v)), range = hi - lo || 1;
    const text = v => `${+v.toPrecision(3)}${curve.unit ? " " + curve.unit : ""}`;
    const jump = button(`worst: ${name(worst[1])}, ${text(worst[0])}`, () => { play(false); show(worst[1]); });
    root.append(make("div", { className: "curve" }, make("p", {}, make("span", { textContent: curve.label }), jump), svg));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${curve.label} over time, ${text(lo)} to ${text(hi)}`);
    let x = k => k, left = 52;
    function drawCurve() {
      const width = Math.max(svg.clientWidth, 200), top = 8, bottom = 88;
      x = k => left + (width - left - 8) * k / Math.max(count - 1, 1);
      const y = v => bottom - (bottom - top) * (v - lo) / range;
      let path = "", pen = "M";
      curve.values.forEach((v, k) => { if (v !== null) path += `${pen}${x(k).toFixed(1)} ${y(v).toFixed(1)}`; pen = v === null ? "M" : "L"; });
      const add = (kind, values, inside) => {
        const node = document.createElementNS(NS, kind);
        for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
        if (inside) node.textContent = inside;
        svg.append(node);
        return node;
      };
      svg.replaceChildren();
      add("path", { class: "axis", d: `M${left} ${top}V${bottom}H${width - 8}` });
      add("text", { x: left - 5, y: top + 5, "text-anchor": "end" }, text(hi).split(" ")[0]);
      add("text", { x: left - 5, y: bottom, "text-anchor": "end" }, text(lo).split(" ")[0]);
      const seconds = (count - 1) / fps, step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60].find(s => seconds / s <= width / 110) || 120;
      for (let s = 0; s <= seconds + 1e-6; s += step) {
        add("path", { class: "axis", d: `M${x(s * fps)} ${bottom}v4` });
        add("text", { x: x(s * fps), y: bottom + 17, "text-anchor": "middle" }, `${+s.toFixed(1)} s`);
      }
      add("path", { class: "values", d: path });
      add("circle", { class: "worst", cx: x(worst[1]), cy: y(worst[0]), r: 4.5 });
      svg.cursorLine = add("path", { class: "now", d: "" });
      mark();
    }
    const mark = () => { if (svg.cursorLine) svg.cursorLine.setAttribute("d", `M${x(now)} 4V92`); };
    svg.addEventListener("click", event => {
      const r = svg.getBoundingClientRect();
      play(false); show(Math.round((event.clientX - r.left - left) / Math.max(r.width - left - 8, 1) * (count - 1)));
    });
    new ResizeObserver(drawCurve).observe(svg);
    drawCurve();
    return mark;
  });
  if (data.notes.length) root.append(make("div", { className: "notes" }, ...data.notes.map(note => make("img", { src: note.src, alt: note.alt }))));

  function name(index) { return data.captions.length ? data.captions[index] : `frame ${data.names.length ? data.names[index] : index}`; }
  function show(index) {
    now = Math.min(count - 1, Math.max(0, index));
    paintAll();
  }
  function paintAll() {
    for (const screen of screens) if (screen.on) screen.paint();
    for (const mark of marks) mark();
    scrub.value = now;
    clock.textContent = data.captions.length ? `${name(now)}` : `${name(now)}, ${(now / fps).toFixed(2)} s`;
    scrub.setAttribute("aria-valuetext", clock.textContent);
  }
  function play(on) {
    playing = on; owed = 0; before = performance.now();
    playButton.textContent = on ? "Pause" : "Play";
    if (on) requestAnimationFrame(tick);
  }
  function tick(time) {
    if (!playing) return;
    owed += Math.max(0, time - before) / 1000 * fps * Number(speed.value); before = time;
    const steps = Math.floor(owed);
    if (steps > 0) { owed -= steps; show((now + steps) % count); }
    requestAnimationFrame(tick);
  }

  // pictures keep their shape: a row is as high as its width allows, on a page at most as high as the window
  function layOut() {
    const shown = screens.filter(screen => screen.on), wide = stage.clientWidth, gap = 10;
    for (const screen of screens) screen.figure.hidden = !screen.on;
    const most = data.inline ? data.tallest : Math.max(240, window.innerHeight - (phone() ? 330 : 210));
    const rows = [[]];
    for (const screen of shown) { // a new row where the pictures would become small
      const row = rows[rows.length - 1], together = [...row, screen];
      const alone = phone() && (screen.space || screen === compared);
      const tall = (wide - gap * (together.length - 1)) / together.reduce((sum, s) => sum + s.aspect, 0);
      if (row.length && (alone || row.alone || tall < (phone() ? 120 : 200))) rows.push(together.slice(-1));
      else row.push(screen);
      rows[rows.length - 1].alone = alone;
    }
    for (const row of rows) {
      const share = row.reduce((sum, s) => sum + s.aspect, 0);
      const least = (wide - gap * (row.length - 1) - 1) / (share || 1);
      const tall = Math.min(most, least, row.alone && row[0].space ? 0.72 * wide : least);
      for (const screen of row) {
        let width = tall * screen.aspect;
        if (screen.space) { // the scene takes what the pictures leave
          width = Math.max(width, Math.min(wide - gap * (row.length - 1) - 1 - tall * (share - screen.aspect), tall * 1.6));
          screen.space.style.height = `${Math.floor(tall)}px`;
        }
        screen.figure.style.width = `${Math.floor(width)}px`;
      }
    }
    try { // in a notebook the frame takes the height of what is in it
      const frame = window.frameElement;
      if (frame && data.inline) {
        frame.style.height = `${Math.ceil(root.getBoundingClientRect().height) + 2}px`;
        if (frame.previousElementSibling) frame.previousElementSibling.style.display = "none";
      }
    } catch { /* a page of another origin: the height that was written stays */ }
  }
  document.addEventListener("keydown", event => {
    if (event.target.tagName === "SELECT" || event.altKey || event.ctrlKey || event.metaKey || !moving) return;
    if (event.key === " " && event.target.tagName === "BUTTON") return; // the button's own key
    if (event.target.type === "range" && event.target !== scrub) return;
    const action = {
      " ": () => play(!playing), ArrowLeft: () => { play(false); show(now - 1); }, ArrowRight: () => { play(false); show(now + 1); },
      Home: () => show(0), End: () => show(count - 1),
    }[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  layOut();
  let width = 0;
  new ResizeObserver(() => { if (root.clientWidth !== width || !data.inline) { width = root.clientWidth; layOut(); } }).observe(document.body);
  window.addEventListener("resize", layOut);
  show(0);
  window.player = { show, play, state: () => ({ now, playing, count, world: world && world.state(), shown: screens.filter(s => s.on).map(s => s.label) }) };
  if (data.scene) openScene(space, data.scene, { film: index => (films[data.scene.panel] ? films[data.scene.panel].at(index) : null) })
    .then(made => { world = made; if (world) { world.show(now); layOut(); } });
}
