// One clip, its skeleton, its maps and its temporal weights, in up to four panes that move in lock-step. The same
// module is an anywidget (default export) and the script of a static page (boot). Text that comes from data only ever
// becomes a text node, so a class name that holds HTML shows as text. A page listens to "frame" events on the element
// and may call its ``player``. Where the scene offers tools, "edit" events say what the viewer did to the clip; whoever
// answers them shows another scene. player.py puts SIDES in front, the colours of the body's middle, left and right.

const STOPS = {
  cividis: "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838".split(" "),
  viridis: "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725".split(" "),
  inferno: "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4".split(" "),
  "blue-orange": "08306b 2171b5 6baed6 c6dbef f7f7f7 fdd0a2 fd8d3c d94801 7f2704".split(" "),
};
const MISSING = 255; // the byte that stands for "not a number"; the others count from the lowest value to the highest
const LAST = MISSING - 1;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const PALETTES = Object.fromEntries(Object.entries(STOPS).map(([name, stops]) => [name, palette(stops)]));
const [INK, FAINT, ACCENT, PALE, TRUTH] = ["#1b2733", "#4a5866", "#0b5cad", "#8fb8de", "#c2410c"];
const RIM = "rgba(0, 0, 0, 0.65)"; // around bright lines: they read on any picture
const GHOST = "rgba(255, 255, 255, 0.55)";
const ICONS = {
  play: "M3 1l11 7-11 7z",
  pause: "M3 1h4v14H3zM9 1h4v14H9z",
  back: "M12 1v14L4 8zM2 1h2v14H2z",
  next: "M4 1l8 7-8 7zM12 1h2v14h-2z",
};
const HELP = {
  space: "play or pause", "← →": "one frame", "home end": "first, last frame",
  m: "next map", s: "skeleton", t: "truth",
};
const TOOLS = { joint: "drag joints", cover: "cover a region", none: "look" };
const EDITING = { "j / shift j": "next, previous joint", "shift ← ↑ → ↓": "move the joint" };
const PATIENCE = 2000; // milliseconds after which the viewer hears that nobody answers
const AFFINITY = "affinity"; // the map that shows where a chosen cell looks
const SPEEDS = [["0.25", "¼ ×"], ["0.5", "½ ×"], ["1", "real time"], ["2", "2 ×"], ["4", "4 ×"]];

function palette(stops) { // Uint8 [255 * 3]
  const colours = stops.map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Uint8Array.from({ length: MISSING * 3 }, (_, i) => {
    const [low, high, share] = neighbours((Math.floor(i / 3) / LAST) * (colours.length - 1), colours.length);
    return Math.round(colours[low][i % 3] * (1 - share) + colours[high][i % 3] * share);
  });
}

function bytes(value) { // base64 text on a page, a DataView from the kernel
  if (typeof value !== "string") return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
}

function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) key in node ? (node[key] = value) : node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(svg.namespaceURI, "path"));
  svg.firstChild.setAttribute("d", ICONS[name]);
  return svg;
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const stepAt = (frame, frames, steps) => Math.min(Math.floor(((frame + 0.5) * steps) / frames), steps - 1);
const pairs = (names) => names.map((name) => [name, name]);

function readable(value) { // two digits that say something, however small
  return value >= 0.01 || value < 5e-8 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
}

function short(value) {
  return value === 0 ? "0" : Math.abs(value) < 0.001 ? value.toExponential(1) : String(+value.toPrecision(3));
}

function neighbours(place, count) { // the two coarse places around a fine one, and the share of the second
  const inside = clamp(place, 0, count - 1), low = Math.floor(inside);
  return [low, Math.min(low + 1, count - 1), inside - low];
}

const centred = (i, fine, coarse) => neighbours(((i + 0.5) * coarse) / fine - 0.5, coarse);

// The map at a frame, as values [rows, columns]: interpolated in time and space, or one step and one value per cell.
function sample(map, frame, frames, smooth) {
  const [steps, rows, columns] = map.shape, size = rows * columns, unit = (map.high - map.low) / LAST;
  const decode = (code) => (code === MISSING ? NaN : map.low + code * unit);
  const step = stepAt(frame, frames, steps);
  const [first, second, share] = smooth ? centred(frame, frames, steps) : [step, step, 0];
  const values = Float32Array.from({ length: size }, (_, cell) => {
    const here = decode(map.cells[first * size + cell]);
    return share ? here * (1 - share) + decode(map.cells[second * size + cell]) * share : here;
  });
  return smooth ? enlarge(values, rows, columns) : { values, rows, columns };
}

function enlarge(values, rows, columns) { // bilinear, to about 64 cells on the longer side
  const zoom = Math.max(1, Math.floor(64 / Math.max(rows, columns))), tall = rows * zoom, wide = columns * zoom;
  const across = Array.from({ length: wide }, (_, x) => centred(x, wide, columns));
  const fine = new Float32Array(tall * wide);
  for (let y = 0, i = 0; y < tall; y++) {
    const [top, bottom, down] = centred(y, tall, rows).map((value, at) => (at < 2 ? value * columns : value));
    for (const [left, right, along] of across) {
      const upper = values[top + left] * (1 - along) + values[top + right] * along;
      const lower = values[bottom + left] * (1 - along) + values[bottom + right] * along;
      fine[i++] = upper * (1 - down) + lower * down;
    }
  }
  return { values: fine, rows: tall, columns: wide };
}

export class Player {
  constructor(root, scene, frames) {
    this.root = root;
    this.given = frames;
    this.jpegs = frames.map(bytes);
    this.count = scene.numbers.length;
    this.bitmaps = [];
    this.grid = document.createElement("canvas");
    this.state = {
      frame: clamp(scene.frame ?? 0, 0, this.count - 1), playing: false, speed: "1",
      map: "", strip: "", colours: "automatic", opacity: +(root.closest("[data-opacity]")?.dataset.opacity ?? 0.8), scale: "shared", smooth: true, skeleton: true, truth: true, tool: scene.tools[0] ?? "none",
    };
    this.query = { frame: this.state.frame, x: 0.5, y: 0.5 }; // shares of the picture
    this.chosen = { person: 0, joint: 0 };
    this.show(scene);
    root.addEventListener("keydown", this.key);
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(root);
    const turn = (entries) => (entries.at(-1).isIntersecting ? this.load() : this.unload());
    this.seen = new IntersectionObserver(turn, { rootMargin: "600px" });
    this.seen.observe(root);
    root.player = this;
  }

  show(given, frames = this.given) { // draws another scene, over other pictures where there are; what the viewer has chosen stays chosen
    const decode = ([name, map]) => [name, { ...map, cells: bytes(map.data) }];
    const decoded = (maps) => Object.fromEntries(Object.entries(maps).map(decode));
    const tracks = given.tracks.map((track) => ({ ...track, maps: decoded(track.maps) }));
    for (const track of tracks) if (track.affinity) track.rows = bytes(track.affinity.data);
    tracks.forEach((track) => this.aim(track));
    const names = (key) => [...new Set(tracks.flatMap((track) => Object.keys(track[key])))];
    const lacked = tracks.flatMap((track) => track.lacks);
    const offered = { map: this.maps ?? [], strip: [] };
    this.scene = { ...given, tracks };
    this.maps = [...new Set([...names("maps"), ...lacked])];
    this.strips = names("temporal");
    this.measure();
    for (const [key, names] of [["map", this.maps], ["strip", this.strips]]) {
      const none = this.state[key] === "" && offered[key].length; // chosen, not for want of a map
      if (!names.includes(this.state[key]) && !none) this.state[key] = names[0] ?? "";
    }
    const { title, caption, source, pose, truth, tools } = given, titles = tracks.map((track) => [track.title, track.pin]);
    const shape = JSON.stringify([title, caption, source, !pose, !truth, titles, this.maps, this.strips, tools]);
    if (shape === this.shape) this.panes.forEach((pane, i) => (pane.track = tracks[i]));
    else this.build((this.shape = shape));
    this.panes.forEach((pane) => this.fillAnswer(pane));
    this.answered();
    if (frames !== this.given) this.exchange(frames);
    this.draw();
  }

  exchange(frames) { // the old pictures stay until the new ones are decoded
    this.given = frames;
    this.jpegs = frames.map(bytes);
    if (this.bitmaps.length || this.loading) this.load(true);
  }

  measure() { // one range a map name, over all tracks
    this.ranges = {};
    for (const [name, map] of this.scene.tracks.flatMap((track) => Object.entries(track.maps))) {
      const [low, high] = this.ranges[name] ?? [0, 0];
      this.ranges[name] = [Math.min(low, map.low), Math.max(high, map.high)];
    }
  }

  aim(track) { // the map "affinity": where the cell at the chosen place and moment looks
    if (!track.affinity) return;
    const { grid: [steps, rows, columns], keys, tops } = track.affinity, { frame, x, y } = this.query;
    const inside = (share, count) => clamp(Math.floor(share * count), 0, count - 1);
    const cell = (stepAt(frame, this.count, steps) * rows + inside(y, rows)) * columns + inside(x, columns);
    const size = keys[0] * keys[1] * keys[2];
    const cells = track.rows.subarray(cell * size, (cell + 1) * size);
    track.maps[AFFINITY] = { shape: keys, low: 0, high: tops[cell], cells };
  }

  build() {
    const { scene, root } = this, [width, height] = scene.size;
    const rate = `${short(1 / scene.interval)} frames per second`;
    const facts = [scene.source, `${this.count} frames of ${width} × ${height}`, rate].filter(Boolean).join(" · ");
    const help = { ...HELP, ...(scene.tools.includes("joint") ? EDITING : {}) };
    const keys = Object.entries(help).map(([key, does]) => make("span", {}, make("kbd", {}, key), ` ${does}`));
    const title = scene.title || "Clip";
    Object.assign(root, { className: "wb-player", tabIndex: 0, role: "group", ariaLabel: `Player: ${title}` });
    root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab leaves the keys to the player
    root.style.setProperty("--panes", Math.min(scene.tracks.length, 4));
    root.classList.toggle("wb-threes", scene.tracks.length > 4);
    this.readout = make("p", { className: "wb-readout", "aria-live": "polite" });
    this.panes = scene.tracks.map((track) => this.pane(track));
    root.replaceChildren(
      make("div", { className: "wb-stage" },
        make("div", { className: "wb-panes" }, ...this.panes.map((pane) => pane.box)), this.transport()),
      make("div", { className: "wb-side" },
        make("header", {},
          make("div", {}, make("h3", {}, title), make("p", { className: "wb-facts" }, facts)), this.legend()),
        make("p", { className: "wb-caption", hidden: !scene.caption }, scene.caption),
        this.options(),
        make("footer", {}, make("details", {}, make("summary", {}, "Keyboard"), ...keys), this.readout)),
    );
    this.fit();
  }

  pane(track) {
    const [width, height] = this.scene.size, zoom = Math.ceil(640 / width);
    const canvas = make("canvas", { width: width * zoom, height: height * zoom, role: "img" });
    const empty = !this.strips.length && !this.scene.truth;
    const strip = make("canvas", { className: "wb-strip", "aria-hidden": "true", hidden: empty });
    const blank = make("div", { className: "wb-blank", hidden: true });
    const title = track.title ? [make("figcaption", {}, track.title)] : [];
    const picture = make("div", { className: "wb-picture" }, canvas, blank);
    const answer = make("div", { className: "wb-answer" });
    const box = make("figure", { className: "wb-pane" }, ...title, picture, strip, answer);
    const pane = { track, canvas, strip, blank, box, zoom, answer, pen: canvas.getContext("2d") };
    canvas.onpointerdown = (event) => this.touch(pane, event);
    canvas.onpointerup = (event) => this.release(pane, event);
    canvas.onpointercancel = () => (this.held = null);
    canvas.onpointermove = (event) => (this.held ? this.drag(pane, event) : this.point(pane, event));
    canvas.onpointerleave = () => (this.readout.textContent = "");
    strip.onpointerdown = (event) => {
      strip.setPointerCapture(event.pointerId);
      this.scrub(strip, event);
    };
    strip.onpointermove = (event) => strip.hasPointerCapture(event.pointerId) && this.scrub(strip, event);
    return pane;
  }

  fit() { // one pane leaves room for the controls beside the picture
    this.root.classList.toggle("wb-beside", this.panes.length === 1 && this.root.clientWidth >= 720);
    this.panes.forEach((pane) => this.drawStrip(pane));
  }

  legend() {
    this.bar = make("div", { className: "wb-bar" });
    this.ends = [make("span"), make("span"), make("span")];
    const [name, low, high] = this.ends;
    return (this.colourKey = make("div", { className: "wb-legend" }, name, make("div", {}, low, this.bar, high)));
  }

  transport() {
    const button = (name, label, onclick) =>
      make("button", { type: "button", title: label, ariaLabel: label, onclick }, icon(name));
    const oninput = () => this.nudge(+this.slider.value - this.state.frame);
    const back = button("back", "Previous frame", () => this.nudge(-1));
    const next = button("next", "Next frame", () => this.nudge(1));
    this.button = button("play", "Play", () => this.toggle());
    this.slider = make("input", { type: "range", min: 0, max: this.count - 1, step: 1, ariaLabel: "Frame", oninput });
    this.clock = make("output", { className: "wb-clock" });
    return make("div", { className: "wb-transport" }, back, this.button, next, this.slider, this.clock);
  }

  options() {
    const { maps, scene, state } = this, several = this.panes.length > 1;
    this.controls = {};
    const control = (tag, key, props) => (this.controls[key] = make(tag, { name: key, ...props }));
    const text = (label) => make("span", {}, label);
    const choose = (label, key, options) => {
      const node = control("select", key, { onchange: () => this.set(key, node.value) });
      node.append(...options.map(([value, name]) => make("option", { value, selected: value === state[key] }, name)));
      return make("label", {}, text(label), node);
    };
    const check = (label, key, ...swatches) => {
      const onchange = () => this.set(key, node.checked), node = control("input", key, { type: "checkbox", onchange });
      node.checked = state[key];
      const dots = swatches.flatMap(([colour, name]) => [make("i", { style: `background: ${colour}` }), name]);
      return make("label", {}, node, text(label), ...dots);
    };
    const range = (label, key) => {
      const oninput = () => this.set(key, +node.value);
      const node = control("input", key, { type: "range", min: 0, max: 1, step: 0.05, value: state[key], oninput });
      return make("label", {}, text(label), node);
    };
    const pinned = scene.tracks.every((track) => track.pin !== null);
    const drawn = scene.tracks.some((track) => Object.keys(track.maps).length); // blanks have neither colour nor opacity
    const overlay = () => [
      ...(pinned ? [] : [choose("Map", "map", [...pairs(maps), ["", "none"]])]),
      ...(drawn ? [choose("Colours", "colours", pairs(["automatic", ...Object.keys(STOPS)]))] : []),
      ...(drawn ? [range("Opacity", "opacity"), check("Smooth", "smooth")] : []),
      ...(several && !pinned ? [choose("Colour scale", "scale", [["shared", "shared"], ["own", "one each"]])] : []),
    ];
    return make("div", { className: "wb-options" },
      ...(maps.length ? overlay() : []),
      ...(this.strips.length > 1 ? [choose("Weights", "strip", pairs(this.strips))] : []),
      ...(scene.pose ? [check("Skeleton", "skeleton", [SIDES[1], "left"], [SIDES[2], "right"])] : []),
      ...(scene.truth ? [check("Truth", "truth", ["#ffffff", "region"], [TRUTH, "moment"])] : []),
      ...(scene.tools.length ? [choose("Pointer", "tool", [...scene.tools, "none"].map((key) => [key, TOOLS[key]]))] : []),
      choose("Speed", "speed", SPEEDS));
  }

  set(key, value) {
    this.state[key] = value;
    const control = this.controls[key];
    if (control) control[control.type === "checkbox" ? "checked" : "value"] = value;
    this.draw();
  }

  key = (event) => {
    const { frame, skeleton, truth } = this.state, { tagName, type } = event.target;
    const by = event.shiftKey && { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const joint = this.scene.tools.includes("joint");
    const act = (joint && by && (() => this.shove(...by))) || {
      ...(joint && { j: () => this.choose(1), J: () => this.choose(-1) }),
      " ": () => this.toggle(), ArrowLeft: () => this.nudge(-1), ArrowRight: () => this.nudge(1),
      Home: () => this.nudge(-frame), End: () => this.nudge(this.count), m: () => this.next(1), M: () => this.next(-1),
      s: () => this.set("skeleton", !skeleton), t: () => this.set("truth", !truth),
    }[event.key];
    const pressed = event.key === " " && (["BUTTON", "SUMMARY"].includes(tagName) || type === "checkbox");
    const slid = type === "range" && event.key.length > 1;
    if (event.altKey || event.ctrlKey || event.metaKey || event.key === "Escape") return;
    event.stopPropagation(); // JupyterLab would take an arrow for "next cell", and an x for "cut this cell"
    if (!act || pressed || slid || tagName === "SELECT") return; // a focused control keeps its own keys
    event.preventDefault();
    act();
  };

  next(step) {
    const all = [...this.maps, ""];
    this.set("map", all[(all.indexOf(this.state.map) + step + all.length) % all.length]);
  }

  nudge(by) {
    this.pause();
    this.seek(this.state.frame + by);
  }

  scrub(strip, event) {
    this.pause();
    this.seek(Math.floor((event.offsetX / strip.clientWidth) * this.count));
  }

  seek(frame) {
    this.state.frame = clamp(frame, 0, this.count - 1);
    this.draw();
    this.tell();
  }

  tell() {
    this.root.dispatchEvent(new CustomEvent("frame", { detail: this.state.frame }));
  }

  toggle() {
    this.state.playing ? this.pause() : this.play();
  }

  play() {
    if (this.count < 2) return;
    if (still() && this.state.frame === this.count - 1) this.seek(0);
    this.state.playing = true;
    this.last = performance.now();
    this.press("pause", "Pause");
    this.timer = requestAnimationFrame(this.tick);
  }

  pause() {
    if (!this.state.playing) return;
    cancelAnimationFrame(this.timer);
    this.state.playing = false;
    this.press("play", "Play");
    this.tell();
  }

  press(name, label) {
    this.button.replaceChildren(icon(name));
    Object.assign(this.button, { title: label, ariaLabel: label });
  }

  tick = (now) => {
    if (!this.root.isConnected) return this.destroy();
    const { seconds, interval } = this.scene;
    const shown = (frame) => { // how long, by the frames' own times; the last one, and before a clip wraps round, as most
      const step = seconds[(frame % this.count) + 1] - seconds[frame % this.count];
      return ((step > 0 ? step : interval) * 1000) / +this.state.speed;
    };
    let frame = this.state.frame;
    const first = frame;
    while (frame < first + this.count && now - this.last >= shown(frame)) this.last += shown(frame++);
    const due = frame - first;
    if (due === this.count) this.last = now; // the page slept
    if (still() && frame >= this.count - 1) return this.nudge(due); // reduced motion plays once, it never loops
    if (due) this.seek(frame % this.count);
    if (this.state.playing) this.timer = requestAnimationFrame(this.tick); // a listener may have paused it
  };

  async load(again = false) { // pictures are decoded only while the player is near the screen
    if (!again && (this.bitmaps.length || this.loading)) return;
    const loading = (this.loading = Symbol("load"));
    const decode = (jpeg) => createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    const bitmaps = await Promise.all(this.jpegs.map(decode));
    if (this.loading !== loading) return bitmaps.forEach((bitmap) => bitmap.close());
    this.loading = null;
    this.bitmaps.forEach((bitmap) => bitmap.close());
    this.bitmaps = bitmaps;
    this.draw();
  }

  unload() {
    this.loading = null;
    this.pause();
    this.bitmaps.forEach((bitmap) => bitmap.close());
    this.bitmaps = [];
  }

  destroy() {
    this.unload();
    this.resized.disconnect();
    this.seen.disconnect();
    this.root.removeEventListener("keydown", this.key);
    clearTimeout(this.impatience);
    this.root.replaceChildren();
    this.jpegs = [];
    delete this.root.player;
  }

  draw() {
    const { scene, state } = this, number = scene.numbers[state.frame], second = scene.seconds[state.frame];
    const stamp = `frame ${state.frame + 1} of ${this.count}`;
    this.slider.value = state.frame;
    this.slider.setAttribute("aria-valuetext", `${stamp}, frame number ${number} of the video`);
    this.clock.textContent = `${stamp} · ${second.toFixed(2)} s`;
    this.drawLegend();
    for (const pane of this.panes) {
      this.drawPicture(pane);
      this.drawStrip(pane);
    }
  }

  colours(map) {
    return this.state.colours !== "automatic" ? this.state.colours : map.low < 0 ? "blue-orange" : "inferno";
  }

  shown(track) { // the name of the map that a pane shows
    return track.pin ?? this.state.map;
  }

  range(map, name) { // a signed map keeps zero in the middle, also where it shares a scale with one that is not
    const [low, high] = this.state.scale === "shared" ? this.ranges[name] : [map.low, map.high];
    return low < 0 ? [-Math.max(-low, high), Math.max(-low, high)] : [low, high];
  }

  drawLegend() {
    const { state } = this, map = this.scene.tracks.map((track) => track.maps[state.map]).find(Boolean);
    const pinned = this.scene.tracks.every((track) => track.pin !== null); // their captions tell the ranges
    this.colourKey.style.visibility = map && !pinned ? "visible" : "hidden";
    if (!map || pinned) return;
    const each = state.scale === "own" && this.panes.length > 1, [low, high] = this.range(map, state.map).map(short);
    const texts = each ? ["lowest", "highest of each"] : [low, high], stops = STOPS[this.colours(map)].map((hex) => `#${hex}`);
    this.bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    [state.map, ...texts].forEach((text, i) => (this.ends[i].textContent = text));
  }

  drawPicture({ track, pen, canvas, blank, zoom }) {
    const { scene, state } = this, name = this.shown(track), map = track.maps[name];
    const { before } = track, order = before ? null : scene.order, truth = track.truth ?? scene.truth;
    const bitmap = this.bitmaps[(track.first ?? 0) + (order ? order[state.frame] : state.frame)];
    const missing = Boolean(name && !map), shown = `${scene.title || "Clip"}, frame ${state.frame + 1}`;
    blank.hidden = !missing;
    const who = track.pin === null && track.title ? track.title : "This run";
    blank.textContent = missing ? `${who} has no map “${name}”` : "";
    canvas.setAttribute("aria-label", missing ? blank.textContent : map ? `${shown}, with map ${name}` : shown);
    if (!bitmap) return; // the last picture stays until this one is decoded
    pen.imageSmoothingEnabled = true;
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    if (!before) for (const cover of scene.covers) this.drawCover(pen, cover, zoom);
    if (map) this.drawMap(pen, map, name, canvas);
    if (truth && state.truth) this.drawBox(pen, zoom, truth);
    if (scene.pose && state.skeleton) {
      if (scene.ghost && !before) this.drawSkeleton(pen, zoom, scene.ghost, GHOST);
      this.drawSkeleton(pen, zoom, this.joints(track));
      if (scene.tools.includes("joint") && !before) this.drawChosen(pen, zoom, track);
    }
    if (this.held?.box && !before) this.drawDashed(pen, zoom, this.held.box);
    if (map && name === AFFINITY) this.drawQuery(pen, canvas);
  }

  drawMap(pen, map, name, canvas) {
    const { state, grid } = this, { values, rows, columns } = sample(map, state.frame, this.count, state.smooth);
    const [low, high] = this.range(map, name), colours = PALETTES[this.colours(map)], { data } = new ImageData(columns, rows);
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values[i])) continue;
      const share = clamp((values[i] - low) / (high - low), 0, 1), strength = low < 0 ? Math.abs(2 * share - 1) : share;
      const [at, colour] = [i * 4, Math.round(share * LAST) * 3];
      for (let c = 0; c < 3; c++) data[at + c] = colours[colour + c];
      data[at + 3] = 255 * state.opacity * (0.12 + 0.88 * Math.sqrt(strength)); // little weight hides little picture
    }
    pen.globalCompositeOperation = "saturation"; // a nearly grey picture leaves colour to the map
    pen.fillStyle = `rgba(128, 128, 128, ${0.75 * Math.min(1, state.opacity * 2)})`;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.globalCompositeOperation = "source-over";
    if (grid.width !== columns || grid.height !== rows) Object.assign(grid, { width: columns, height: rows });
    grid.getContext("2d").putImageData(new ImageData(data, columns, rows), 0, 0);
    pen.imageSmoothingEnabled = state.smooth;
    pen.drawImage(grid, 0, 0, canvas.width, canvas.height);
  }

  drawCover(pen, { box, span, color }, zoom) {
    if (this.state.frame < span[0] || this.state.frame >= span[1]) return;
    const [left, top, right, bottom] = box.map((value) => value * zoom);
    pen.fillStyle = color;
    pen.fillRect(left, top, right - left, bottom - top);
    this.drawDashed(pen, zoom, box);
  }

  drawDashed(pen, zoom, box) {
    const [left, top, right, bottom] = box.map((value) => value * zoom), width = pen.canvas.width / 300;
    for (const [strokeStyle, dashes] of [[RIM, []], ["#ffffff", [3 * width, 3 * width]]]) {
      pen.setLineDash(dashes);
      Object.assign(pen, { strokeStyle, lineWidth: width });
      pen.strokeRect(left, top, right - left, bottom - top);
    }
    pen.setLineDash([]);
  }

  joints({ joints, before }) { // those that a pane shows
    return joints ?? ((before && this.scene.ghost) || this.scene.pose.joints);
  }

  drawChosen(pen, zoom, track) {
    const place = this.joints(track)[this.chosen.person]?.[this.state.frame][this.chosen.joint];
    if (!place || place[0] === null) return;
    this.ring(pen, place[0] * zoom, place[1] * zoom, pen.canvas.width / 60);
  }

  drawQuery(pen, canvas) {
    const { frame, x, y } = this.query, here = frame === this.state.frame;
    pen.setLineDash(here ? [] : [canvas.width / 80, canvas.width / 80]); // dashed at other moments
    this.ring(pen, x * canvas.width, y * canvas.height, canvas.width / 40);
    pen.setLineDash([]);
  }

  ring(pen, x, y, radius) {
    for (const [strokeStyle, lineWidth] of [[RIM, radius / 2], ["#ffffff", radius / 4]]) {
      Object.assign(pen, { strokeStyle, lineWidth });
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.stroke();
    }
  }

  drawSkeleton(pen, zoom, joints, only) {
    const { bones, sides } = this.scene.pose, width = pen.canvas.width / 130;
    joints.forEach((person, i) => {
      const pose = person[this.state.frame].map(([x, y]) => (x === null || y === null ? null : [x * zoom, y * zoom]));
      const whole = bones.filter((bone) => pose[bone[0]] && pose[bone[1]]);
      const stroke = (colour, thick) => whole.forEach(([child, parent]) => {
        pen.beginPath();
        pen.moveTo(...pose[child]);
        pen.lineTo(...pose[parent]);
        const side = sides[child] === sides[parent] ? sides[child] : 0; // what joins a side to the middle is in the middle
        Object.assign(pen, { strokeStyle: colour ?? SIDES[side], lineWidth: thick, lineCap: "round" });
        pen.stroke();
      });
      const dots = (colour, radius) => pose.forEach((place, joint) => {
        if (!place) return;
        pen.beginPath();
        pen.arc(...place, radius, 0, 7);
        pen.fillStyle = colour ?? SIDES[sides[joint]];
        pen.fill();
      });
      pen.setLineDash(i ? [2 * width, 2 * width] : []); // the second person is dashed
      if (only) return stroke(only, width); // where the joints were before
      stroke(RIM, width * 2); // a dark rim reads on any background
      dots(RIM, width * 1.35);
      stroke(null, width);
      dots(null, width * 0.9);
    });
    pen.setLineDash([]);
  }

  drawBox(pen, zoom, { box, moment }) { // whole during the moment, dashed outside it
    const corners = box[this.state.frame], width = pen.canvas.width / 160;
    if (corners.includes(null)) return;
    const [left, top, right, bottom] = corners.map((value) => value * zoom);
    const dash = moment[this.state.frame] ? [] : [2 * width, 2.5 * width];
    for (const [strokeStyle, dashes, thick] of [[RIM, [], 1.8], ["#ffffff", dash, 0.9]]) {
      pen.setLineDash(dashes);
      Object.assign(pen, { strokeStyle, lineWidth: width * thick });
      pen.strokeRect(left, top, right - left, bottom - top);
    }
    pen.setLineDash([]);
  }

  drawStrip({ track, strip }) {
    const { state, scene, count } = this, { clientWidth: wide, clientHeight: tall } = strip, ratio = devicePixelRatio;
    if (!wide) return;
    const [width, height] = [Math.round(wide * ratio), Math.round(tall * ratio)];
    if (strip.width !== width || strip.height !== height) Object.assign(strip, { width, height });
    const pen = strip.getContext("2d"), weights = track.temporal[state.strip], floor = tall - 10, frame = wide / count;
    const fill = (colour, ...area) => {
      pen.fillStyle = colour;
      pen.fillRect(...area);
    };
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    fill("#f3f5f8", 0, 0, wide, tall);
    if (scene.truth && state.truth) scene.truth.moment.forEach((inside, i) => {
      if (inside) fill("#fbe3d3", i * frame, 0, frame + 0.5, floor);
      if (inside) fill(TRUTH, i * frame, floor + 2, frame + 0.5, 5);
    });
    if (weights) this.drawBars(pen, fill, weights, wide, floor);
    const label = weights ? `${state.strip}, largest ${short(Math.max(...weights))}` : "no temporal weights";
    Object.assign(pen, { font: "12px system-ui, sans-serif", fillStyle: FAINT });
    pen.fillText(label, 5, 14);
    fill(INK, clamp((state.frame + 0.5) * frame - 1, 0, wide - 2), 0, 2, tall);
  }

  drawBars(pen, fill, weights, wide, floor) {
    const known = weights.filter((weight) => weight !== null), width = wide / weights.length, low = Math.min(0, ...known);
    const unit = (floor - 20) / (Math.max(0, ...known) - low || 1), zero = floor + low * unit;
    const mean = known.reduce((sum, weight) => sum + weight, 0) / known.length;
    const step = stepAt(this.state.frame, this.count, weights.length);
    weights.forEach((weight, i) => {
      if (weight === null) return;
      const tall = Math.max(1, Math.abs(weight * unit)), top = weight < 0 ? zero : zero - tall;
      fill(i === step ? ACCENT : PALE, i * width + 1, top, Math.max(1, width - 2), tall);
    });
    Object.assign(pen, { strokeStyle: FAINT, lineWidth: 1 });
    pen.setLineDash([4, 4]); // the mean: what uniform weights would be
    pen.beginPath();
    pen.moveTo(0, zero - mean * unit);
    pen.lineTo(wide, zero - mean * unit);
    pen.stroke();
    pen.setLineDash([]);
  }

  point({ track, canvas }, event) { // the value of the cell under the pointer
    const name = this.shown(track), map = track.maps[name];
    if (!map) return;
    const { values, rows, columns } = sample(map, this.state.frame, this.count, false);
    const row = clamp(Math.floor((event.offsetY / canvas.clientHeight) * rows), 0, rows - 1);
    const column = clamp(Math.floor((event.offsetX / canvas.clientWidth) * columns), 0, columns - 1);
    const value = values[row * columns + column], step = stepAt(this.state.frame, this.count, map.shape[0]);
    const place = `step ${step}, row ${row}, column ${column}`;
    this.readout.textContent = `${name} ${Number.isNaN(value) ? "missing" : short(value)} at ${place}`;
  }

  // What the viewer does to the clip. Places are in clip pixels.
  place({ canvas }, event) {
    const [width, height] = this.scene.size;
    const [x, y] = [(event.offsetX / canvas.clientWidth) * width, (event.offsetY / canvas.clientHeight) * height];
    return [clamp(x, 0, width), clamp(y, 0, height)];
  }

  touch(pane, event) {
    const place = this.place(pane, event), tool = pane.track.before ? "none" : this.state.tool; // what was stays
    if (event.button) return;
    if (tool === "joint" && this.grab(place, pane)) this.held = { ...this.chosen };
    else if (tool === "cover") this.held = { start: place, box: [...place, ...place] };
    else if (this.shown(pane.track) === AFFINITY) return this.ponder(pane, event);
    if (!this.held) return;
    this.pause();
    pane.canvas.setPointerCapture(event.pointerId);
    this.draw();
  }

  drag(pane, event) {
    const [x, y] = this.place(pane, event);
    if (this.held.box) {
      const [left, top] = this.held.start;
      this.held.box = [Math.min(left, x), Math.min(top, y), Math.max(left, x), Math.max(top, y)];
    } else this.put(x, y, false);
    this.draw();
  }

  release(pane, event) {
    const { held } = this, [x, y] = this.place(pane, event);
    this.held = null;
    if (!held) return;
    if (!held.box) this.put(x, y, true);
    else if (held.box[2] - held.box[0] > 1 && held.box[3] - held.box[1] > 1) {
      this.ask({ kind: "cover", box: held.box, frame: this.state.frame });
    }
    this.draw();
  }

  grab([x, y], { canvas, track }) { // the nearest joint within a finger's breadth
    const reach = (14 * this.scene.size[0]) / canvas.clientWidth;
    const near = { distance: reach };
    if (this.scene.pose) this.joints(track).forEach((person, i) => person[this.state.frame].forEach(([left, top], joint) => {
      if (left === null) return;
      const distance = Math.hypot(left - x, top - y);
      if (distance < near.distance) Object.assign(near, { distance, person: i, joint });
    }));
    if (near.joint === undefined) return false;
    this.chosen = { person: near.person, joint: near.joint };
    return true;
  }

  put(x, y, done) { // moves the chosen joint in view at once, and asks what that would change
    const { person, joint } = this.chosen, { frame } = this.state;
    for (const joints of [this.scene.pose.joints, ...this.scene.tracks.map((track) => track.joints)]) {
      if (joints) joints[person][frame][joint] = [x, y];
    }
    this.readout.textContent = `${this.name(joint)} at ${short(x)}, ${short(y)}`;
    this.ask({ kind: "joint", person, joint, frame, x, y, done });
  }

  name(joint) {
    return this.scene.pose.names[joint].replaceAll("_", " ");
  }

  choose(step) {
    const { pose } = this.scene, all = pose ? pose.names.length : 0;
    if (!all) return;
    this.chosen.joint = (this.chosen.joint + step + all) % all;
    this.readout.textContent = `${this.name(this.chosen.joint)} chosen`;
    this.draw();
  }

  shove(right, down) {
    const place = this.scene.pose?.joints[this.chosen.person]?.[this.state.frame][this.chosen.joint];
    if (!place || place[0] === null) return;
    this.pause();
    this.put(place[0] + right, place[1] + down, true);
    this.draw();
  }

  ponder(pane, event) { // where does this cell look?
    const { canvas } = pane, { frame } = this.state;
    this.query = { frame, x: event.offsetX / canvas.clientWidth, y: event.offsetY / canvas.clientHeight };
    this.scene.tracks.forEach((track) => this.aim(track));
    this.measure();
    this.draw();
    this.root.dispatchEvent(new CustomEvent("query", { detail: this.query }));
  }

  ask(detail) { // one question at a time: of those that come while an answer is due, only the latest counts
    if (this.asked) return (this.waiting = detail);
    this.waiting = null;
    this.asked = performance.now();
    this.impatience = setTimeout(() => {
      this.asked = null; // what waits is asked when the answer comes after all
      this.readout.textContent = "nobody answers: the last answer stays in view (is the kernel running?)";
    }, PATIENCE);
    this.root.dispatchEvent(new CustomEvent("edit", { detail }));
  }

  answered() {
    const { asked, waiting } = this;
    clearTimeout(this.impatience);
    this.asked = this.waiting = null;
    const detail = performance.now() - asked; // milliseconds from question to answer
    if (asked) this.root.dispatchEvent(new CustomEvent("answer", { detail }));
    if (waiting) this.ask(waiting);
  }

  fillAnswer({ track, answer }) { // class scores as bars with a mark where they were before, then the words
    const rows = track.scores.map(({ name, value, before }) => {
      const bar = make("span", { className: "wb-share", style: `width: ${100 * clamp(value, 0, 1)}%` });
      const was = before === null ? [] : [make("i", { style: `left: ${100 * clamp(before, 0, 1)}%` })];
      const change = before === null ? "" : ` (${value < before ? "−" : "+"}${readable(Math.abs(value - before))})`;
      return make("tr", {},
        make("th", { scope: "row" }, name),
        make("td", { className: "wb-bars", "aria-hidden": "true" }, make("div", {}, bar, ...was)),
        make("td", {}, readable(value) + change));
    });
    const note = track.note ? [make("p", { className: "wb-facts" }, track.note)] : [];
    answer.replaceChildren(...(rows.length ? [make("table", { ariaLabel: "Class scores" }, ...rows)] : []), ...note);
  }
}

export function boot(page) { // starts every player of a static page that has not started yet; what is inside of data-plays plays by itself
  for (const root of page.querySelectorAll("[data-player]")) {
    const { scene, frames } = JSON.parse(root.querySelector("script").textContent);
    root.removeAttribute("data-player");
    const player = new Player(root, scene, frames);
    if (root.closest("[data-plays]") && !still()) player.play();
  }
}

// The notebook: the kernel hears of the frame when the player rests, never while it plays.
function render({ model, el }) {
  const root = el.appendChild(document.createElement("div"));
  const player = new Player(root, { ...model.get("_scene"), frame: model.get("frame") }, model.get("_frames"));
  const shown = () => player.show(model.get("_scene"), model.get("_frames"));
  const heard = () => { // JupyterLab keeps the view of a kernel that is gone, and sending to that raises
    const manager = model.widget_manager;
    if (!manager || !("kernel" in manager)) return true;
    return Boolean(manager.kernel) && !manager.kernel.isDisposed && manager.kernel.status !== "dead";
  };
  root.addEventListener("edit", (event) => heard() && model.send(event.detail));
  const moved = () => model.get("frame") !== player.state.frame && player.seek(model.get("frame"));
  let timer;
  root.addEventListener("frame", () => {
    clearTimeout(timer);
    if (!player.state.playing) timer = setTimeout(() => {
      if (!heard()) return;
      model.set("frame", player.state.frame);
      model.save_changes();
    }, 150);
  });
  model.on("change:_scene", shown);
  model.on("change:frame", moved);
  return () => {
    clearTimeout(timer);
    model.off("change:_scene", shown);
    model.off("change:frame", moved);
    player.destroy();
  };
}

export default { render };
