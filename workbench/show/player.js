// One clip, its skeleton, its maps and its temporal weights, in up to four panes that move in lock-step. The same module is
// an anywidget (default export) and the script of a static page (boot). Text that comes from data only ever becomes a text
// node, so a class name that holds HTML shows as text.

const STOPS = {
  cividis: "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
  viridis: "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
  inferno: "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
  "blue-orange": "08306b 2171b5 6baed6 c6dbef f7f7f7 fdd0a2 fd8d3c d94801 7f2704",
};
const SIDES = ["#ffffff", "#ffd23f", "#5bd1ff"]; // middle, left, right
const MISSING = 255; // the byte that stands for "not a number"
const INK = "#1b2733", FAINT = "#5b6875", ACCENT = "#0b5cad", TRUTH = "#c2410c";
const ICONS = { play: "M3 1l11 7-11 7z", pause: "M3 1h4v14H3zM9 1h4v14H9z", back: "M12 1v14L4 8zM2 1h2v14H2z", next: "M4 1l8 7-8 7zM12 1h2v14h-2z" };
const KEYS = [["space", "play or pause"], ["← →", "one frame"], ["home end", "first, last frame"], ["m", "next map"],
  ["s", "skeleton"], ["t", "truth"]];

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

const palettes = Object.fromEntries(Object.keys(STOPS).map((name) => [name, palette(STOPS[name].split(" "))]));

function palette(hexes) { // Uint8 [255 * 3]: one colour for each byte of a map
  const stops = hexes.map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Uint8Array.from({ length: MISSING * 3 }, (_, i) => {
    const place = (Math.floor(i / 3) / (MISSING - 1)) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    return Math.round(stops[low][i % 3] + (stops[low + 1][i % 3] - stops[low][i % 3]) * (place - low));
  });
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const short = (value) => (value === 0 ? "0" : Math.abs(value) < 0.001 ? value.toExponential(1) : value.toPrecision(3));
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Where position x of n fine places falls among count coarse ones: the two neighbours and the share of the second.
function between(x, n, count) {
  const place = clamp(((x + 0.5) * count) / n - 0.5, 0, count - 1), low = Math.floor(place);
  return [low, Math.min(low + 1, count - 1), place - low];
}

// The map at a frame, as values [rows, columns]; smooth interpolates in time and space, otherwise one step, one cell.
function sample(map, frame, frames, smooth) {
  const [steps, rows, columns] = map.shape, cells = rows * columns, unit = (map.high - map.low) / (MISSING - 1);
  const at = (step, cell) => (map.cells[step * cells + cell] === MISSING ? NaN : map.low + map.cells[step * cells + cell] * unit);
  const [first, second, share] = smooth ? between(frame, frames, steps) : [stepAt(frame, frames, steps), 0, 0];
  const values = Float32Array.from({ length: cells }, (_, cell) => share ? at(first, cell) * (1 - share) + at(second, cell) * share : at(first, cell));
  if (!smooth) return { values, rows, columns };
  const zoom = Math.max(1, Math.floor(64 / Math.max(rows, columns))), tall = rows * zoom, wide = columns * zoom;
  const fine = new Float32Array(tall * wide), across = Array.from({ length: wide }, (_, x) => between(x, wide, columns));
  for (let y = 0, i = 0; y < tall; y++) {
    const [top, bottom, down] = between(y, tall, rows);
    for (const [left, right, along] of across) {
      const upper = values[top * columns + left] * (1 - along) + values[top * columns + right] * along;
      const lower = values[bottom * columns + left] * (1 - along) + values[bottom * columns + right] * along;
      fine[i++] = upper * (1 - down) + lower * down;
    }
  }
  return { values: fine, rows: tall, columns: wide };
}

const stepAt = (frame, frames, steps) => Math.min(Math.floor(((frame + 0.5) * steps) / frames), steps - 1);

export class Player {
  constructor(root, scene, frames) {
    this.root = root;
    this.jpegs = frames.map(bytes);
    this.bitmaps = [];
    this.state = { frame: 0, playing: false, speed: "1", map: "", strip: "", colours: "automatic", opacity: 0.7, smooth: true,
      skeleton: true, truth: true, scale: "shared" };
    this.grid = document.createElement("canvas");
    this.show(scene);
    root.addEventListener("keydown", this.key);
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(root);
    this.seen = new IntersectionObserver(([entry]) => (entry.isIntersecting ? this.load() : this.unload()), { rootMargin: "600px" });
    this.seen.observe(root);
    root.player = this;
  }

  show(given) { // draws another scene over the same pictures; what the viewer had chosen stays chosen
    const decode = (maps) => Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, { ...map, cells: bytes(map.data) }]));
    const scene = (this.scene = { ...given, tracks: given.tracks.map((track) => ({ ...track, maps: decode(track.maps) })) });
    this.count = this.jpegs.length;
    const names = (key) => [...new Set(scene.tracks.flatMap((track) => Object.keys(track[key])))];
    const lacked = scene.tracks.flatMap((track) => track.lacks);
    this.maps = [...new Set([...names("maps"), ...lacked.filter((name) => !names("temporal").includes(name))])];
    this.strips = names("temporal");
    this.ranges = {};
    for (const track of scene.tracks) for (const [name, map] of Object.entries(track.maps)) {
      const range = (this.ranges[name] ??= [0, 0]);
      this.ranges[name] = [Math.min(range[0], map.low), Math.max(range[1], map.high)];
    }
    if (!this.maps.includes(this.state.map)) this.state.map = this.maps[0] ?? "";
    if (!this.strips.includes(this.state.strip)) this.state.strip = this.strips[0] ?? "";
    this.build();
    this.fit();
    this.draw();
  }

  build() {
    this.readout = make("p", { className: "wb-readout" });
    const { scene, root } = this, [width, height] = scene.size, zoom = Math.ceil(640 / width);
    root.replaceChildren();
    root.className = "wb-player";
    root.tabIndex = 0;
    for (const [key, value] of [["role", "group"], ["aria-label", `Player: ${scene.title || "clip"}`], ["data-lm-suppress-shortcuts", "true"]])
      root.setAttribute(key, value);
    root.style.setProperty("--panes", scene.tracks.length);
    this.panes = scene.tracks.map((track) => {
      const canvas = make("canvas", { width: width * zoom, height: height * zoom, role: "img" });
      const strip = make("canvas", { className: "wb-strip", "aria-hidden": "true" });
      const blank = make("div", { className: "wb-blank", hidden: true });
      const pane = { track, canvas, strip, blank, zoom, pen: canvas.getContext("2d"), picture: make("div", { className: "wb-picture" }, canvas, blank) };
      pane.box = make("figure", { className: "wb-pane" }, ...(track.title ? [make("figcaption", {}, track.title)] : []), pane.picture, strip);
      canvas.addEventListener("pointermove", (event) => this.point(pane, event));
      canvas.addEventListener("pointerleave", () => (this.readout.textContent = ""));
      const scrub = (event) => this.seek(Math.floor((event.offsetX / strip.clientWidth) * this.count));
      strip.addEventListener("pointerdown", (event) => { this.pause(); strip.setPointerCapture(event.pointerId); scrub(event); });
      strip.addEventListener("pointermove", (event) => strip.hasPointerCapture(event.pointerId) && scrub(event));
      return pane;
    });
    const facts = [scene.source, `${this.count} frames of ${width} × ${height}`, `${short(1 / scene.interval)} frames per second`].filter(Boolean);
    root.append(
      make("div", { className: "wb-stage" }, make("div", { className: "wb-panes" }, ...this.panes.map((pane) => pane.box)), this.transport()),
      make("div", { className: "wb-side" },
        make("header", {}, make("div", {}, make("h3", {}, scene.title || "Clip"), make("p", { className: "wb-facts" }, facts.join(" · "))), this.legend()),
        make("p", { className: "wb-caption", hidden: !scene.caption }, scene.caption), this.options(),
        make("footer", {}, make("details", {}, make("summary", {}, "Keyboard"), ...KEYS.map(([key, does]) => make("span", {}, make("kbd", {}, key), ` ${does}`))),
          this.readout)),
    );
  }

  fit() { // one pane leaves room for the controls beside the picture
    this.root.classList.toggle("wb-beside", this.panes.length === 1 && this.root.clientWidth >= 720);
    this.panes.forEach((pane) => this.drawStrip(pane));
  }

  legend() {
    this.bar = make("div", { className: "wb-bar" });
    this.ends = [make("span"), make("span"), make("span")];
    return (this.key_ = make("div", { className: "wb-legend" }, this.ends[0], make("div", {}, this.ends[1], this.bar, this.ends[2])));
  }

  transport() {
    const button = (name, label, action) => make("button", { type: "button", title: label, "aria-label": label, onclick: action }, icon(name));
    this.button = button("play", "Play", () => this.toggle());
    this.slider = make("input", { type: "range", min: 0, max: this.count - 1, step: 1, value: this.state.frame, "aria-label": "Frame", oninput: () => { this.pause(); this.seek(+this.slider.value); } });
    this.clock = make("output", { className: "wb-clock" });
    return make("div", { className: "wb-transport" }, button("back", "Previous frame", () => this.nudge(-1)), this.button,
      button("next", "Next frame", () => this.nudge(1)), this.slider, this.clock);
  }

  options() {
    this.controls = {};
    const field = (label, key, node) => { this.controls[key] = node; node.name = key; return make("label", {}, make("span", {}, label), node); };
    const choose = (label, key, options) => {
      const node = make("select", { onchange: () => this.set(key, node.value) }, ...options.map(([value, text]) => make("option", { value }, text)));
      node.value = this.state[key];
      return field(label, key, node);
    };
    const check = (label, key, ...swatches) => {
      const node = make("input", { type: "checkbox", checked: this.state[key], onchange: () => this.set(key, node.checked) });
      const parts = swatches.map(([colour, text]) => [make("i", { style: `background:${colour}` }), text]).flat();
      const row = field(label, key, node);
      row.prepend(node);
      row.append(...parts);
      return row;
    };
    const same = (names) => names.map((name) => [name, name]);
    const opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: this.state.opacity, oninput: () => this.set("opacity", +opacity.value) });
    const parts = [];
    if (this.maps.length) parts.push(choose("Map", "map", [...same(this.maps), ["", "none"]]), choose("Colours", "colours", same(["automatic", ...Object.keys(STOPS)])),
      field("Opacity", "opacity", opacity), check("Smooth", "smooth"));
    if (this.scene.tracks.length > 1 && this.maps.length) parts.push(choose("Colour scale", "scale", [["shared", "shared"], ["own", "one each"]]));
    if (this.strips.length > 1) parts.push(choose("Weights", "strip", same(this.strips)));
    if (this.scene.pose) parts.push(check("Skeleton", "skeleton", [SIDES[1], "left"], [SIDES[2], "right"]));
    if (this.scene.truth) parts.push(check("Truth", "truth", ["#ffffff", "region"], [TRUTH, "moment"]));
    parts.push(choose("Speed", "speed", [["0.25", "¼ ×"], ["0.5", "½ ×"], ["1", "real time"], ["2", "2 ×"], ["4", "4 ×"]]));
    return make("div", { className: "wb-options" }, ...parts);
  }

  set(key, value) {
    this.state[key] = value;
    const control = this.controls[key];
    if (control) control.type === "checkbox" ? (control.checked = value) : (control.value = value);
    this.draw();
  }

  key = (event) => {
    const tag = event.target.tagName, { frame } = this.state;
    if (event.altKey || event.ctrlKey || event.metaKey || tag === "SELECT") return;
    const keys = { " ": () => this.toggle(), ArrowLeft: () => this.nudge(-1), ArrowRight: () => this.nudge(1), Home: () => this.nudge(-frame),
      End: () => this.nudge(this.count - 1 - frame), m: () => this.next(1), M: () => this.next(-1), s: () => this.set("skeleton", !this.state.skeleton),
      t: () => this.set("truth", !this.state.truth) };
    const own = { BUTTON: [" "], INPUT: event.target.type === "checkbox" ? [" "] : ["ArrowLeft", "ArrowRight", "Home", "End"], SUMMARY: [" "] };
    event.stopPropagation();
    if (!keys[event.key] || own[tag]?.includes(event.key)) return; // a focused control keeps its own keys
    event.preventDefault();
    keys[event.key]();
  };

  next(step) {
    const all = [...this.maps, ""];
    this.set("map", all[(all.indexOf(this.state.map) + step + all.length) % all.length]);
  }

  nudge(by) { this.pause(); this.seek(this.state.frame + by); }

  seek(frame) {
    this.state.frame = clamp(frame, 0, this.count - 1);
    this.draw();
    this.root.dispatchEvent(new CustomEvent("frame", { detail: this.state.frame }));
  }

  toggle() { this.state.playing ? this.pause() : this.play(); }

  play() {
    if (this.count < 2) return;
    if (still() && this.state.frame === this.count - 1) this.state.frame = 0;
    this.state.playing = true;
    this.last = performance.now();
    this.press("pause", "Pause");
    this.timer = requestAnimationFrame(this.tick);
  }

  pause() {
    this.state.playing = false;
    cancelAnimationFrame(this.timer);
    this.press("play", "Play");
  }

  press(name, label) {
    this.button.replaceChildren(icon(name));
    this.button.title = label;
    this.button.setAttribute("aria-label", label);
  }

  tick = (now) => {
    if (!this.root.isConnected) return this.destroy();
    const step = (this.scene.interval * 1000) / +this.state.speed, due = Math.floor((now - this.last) / step);
    if (due > 0) {
      this.last += due * step;
      const frame = this.state.frame + due;
      if (still() && frame >= this.count - 1) { this.pause(); return this.seek(this.count - 1); } // plays once, never loops
      this.seek(frame % this.count);
    }
    if (this.state.playing) this.timer = requestAnimationFrame(this.tick);
  };

  async load() { // pictures live only while the player is near the screen
    if (this.bitmaps.length || this.loading) return;
    const loading = (this.loading = Symbol("load"));
    const bitmaps = await Promise.all(this.jpegs.map((jpeg) => createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }))));
    if (this.loading !== loading) return bitmaps.forEach((bitmap) => bitmap.close());
    this.loading = null;
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
    this.root.replaceChildren();
    this.jpegs = [];
    delete this.root.player;
  }

  draw() {
    const { scene, state } = this;
    this.slider.value = state.frame;
    const stamp = `frame ${state.frame + 1} of ${this.count}`, number = scene.numbers[state.frame];
    this.clock.textContent = `${stamp} · ${(number / scene.fps).toFixed(2)} s`;
    this.slider.setAttribute("aria-valuetext", `${stamp}, source frame ${number}`);
    this.drawLegend();
    for (const pane of this.panes) { this.drawPicture(pane); this.drawStrip(pane); }
  }

  colours(map) { return this.state.colours !== "automatic" ? this.state.colours : map?.low < 0 ? "blue-orange" : "inferno"; }

  range(map) { return this.state.scale === "shared" ? this.ranges[this.state.map] : [map.low, map.high]; }

  drawLegend() {
    const { state } = this, map = this.scene.tracks.map((track) => track.maps[state.map]).find(Boolean);
    this.key_.style.visibility = map ? "visible" : "hidden";
    if (!map) return;
    const each = state.scale === "own" && this.panes.length > 1, [low, high] = this.range(map);
    const stops = STOPS[this.colours(map)].split(" ").map((hex) => `#${hex}`);
    this.bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    [state.map, each ? "lowest" : short(low), each ? "highest of each" : short(high)].forEach((text, i) => (this.ends[i].textContent = text));
  }

  drawPicture({ track, pen, canvas, blank, zoom }) {
    const { scene, state } = this, map = track.maps[state.map], bitmap = this.bitmaps[state.frame];
    const missing = Boolean(state.map && !map);
    blank.hidden = !missing;
    blank.textContent = missing ? `${track.title || "This run"} has no map “${state.map}”` : "";
    canvas.setAttribute("aria-label", missing ? blank.textContent : `${scene.title || "Clip"}, frame ${state.frame + 1}${map ? `, with map ${state.map}` : ""}`);
    if (!bitmap) return; // the last picture stays until this one is decoded
    pen.imageSmoothingEnabled = true;
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    if (map) {
      pen.globalCompositeOperation = "saturation"; // a nearly grey picture leaves the colours to the map
      pen.fillStyle = `rgba(128, 128, 128, ${0.75 * Math.min(1, state.opacity * 2)})`;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.globalCompositeOperation = "source-over";
      this.drawMap(pen, map, canvas);
    }
    if (scene.truth && state.truth) this.drawBox(pen, zoom);
    if (scene.pose && state.skeleton) this.drawSkeleton(pen, zoom);
  }

  drawMap(pen, map, canvas) {
    const { state, grid } = this, { values, rows, columns } = sample(map, state.frame, this.count, state.smooth);
    const [low, high] = this.range(map), colours = palettes[this.colours(map)], signed = low < 0;
    const image = new ImageData(columns, rows), last = MISSING - 1;
    values.forEach((value, i) => {
      if (Number.isNaN(value)) return;
      const share = clamp((value - low) / (high - low), 0, 1), index = Math.round(share * last) * 3;
      const strength = signed ? Math.abs(2 * share - 1) : share; // little weight hides little of the picture
      image.data.set([colours[index], colours[index + 1], colours[index + 2], 255 * state.opacity * (0.12 + 0.88 * Math.sqrt(strength))], i * 4);
    });
    if (grid.width !== columns || grid.height !== rows) [grid.width, grid.height] = [columns, rows];
    grid.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = state.smooth;
    pen.drawImage(grid, 0, 0, canvas.width, canvas.height);
  }

  drawSkeleton(pen, zoom) {
    const { joints, bones, sides } = this.scene.pose, width = pen.canvas.width / 130;
    joints.forEach((person, i) => {
      const pose = person[this.state.frame], here = (joint) => pose[joint][0] !== null && pose[joint][1] !== null;
      const line = ([child, parent], colour, thick) => {
        pen.beginPath();
        pen.moveTo(pose[child][0] * zoom, pose[child][1] * zoom);
        pen.lineTo(pose[parent][0] * zoom, pose[parent][1] * zoom);
        [pen.strokeStyle, pen.lineWidth] = [colour, thick];
        pen.stroke();
      };
      const dot = (joint, colour, radius) => {
        pen.beginPath();
        pen.arc(pose[joint][0] * zoom, pose[joint][1] * zoom, radius, 0, 7);
        pen.fillStyle = colour;
        pen.fill();
      };
      const whole = bones.filter((bone) => bone.every(here)), seen = pose.map((_, joint) => joint).filter(here);
      pen.lineCap = "round";
      pen.setLineDash(i ? [2 * width, 2 * width] : []); // the second person is dashed
      for (const bone of whole) line(bone, "rgba(0, 0, 0, 0.65)", width * 2); // a dark rim reads on any background
      for (const joint of seen) dot(joint, "rgba(0, 0, 0, 0.65)", width * 1.35);
      for (const bone of whole) line(bone, SIDES[sides[bone[0]]], width);
      for (const joint of seen) dot(joint, SIDES[sides[joint]], width * 0.9);
    });
    pen.setLineDash([]);
  }

  drawBox(pen, zoom) {
    const { box, moment } = this.scene.truth, { frame } = this.state, [left, top, right, bottom] = box[frame];
    if (box[frame].includes(null)) return;
    const area = [left * zoom, top * zoom, (right - left) * zoom, (bottom - top) * zoom], width = pen.canvas.width / 160;
    for (const [colour, dash, thick] of [["rgba(0, 0, 0, 0.7)", [], 1.8], ["#ffffff", moment[frame] ? [] : [2 * width, 2.5 * width], 0.9]]) {
      pen.setLineDash(dash);
      [pen.strokeStyle, pen.lineWidth] = [colour, width * thick];
      pen.strokeRect(...area);
    }
    pen.setLineDash([]);
  }

  drawStrip({ track, strip }) {
    const { state, scene, count } = this, ratio = devicePixelRatio, wide = strip.clientWidth, tall = strip.clientHeight;
    if (!wide) return;
    if (strip.width !== Math.round(wide * ratio)) [strip.width, strip.height] = [Math.round(wide * ratio), Math.round(tall * ratio)];
    const pen = strip.getContext("2d"), weights = track.temporal[state.strip], floor = tall - 10, x = (frame) => (frame / count) * wide;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = "#f3f5f8";
    pen.fillRect(0, 0, wide, tall);
    if (scene.truth && state.truth) scene.truth.moment.forEach((inside, frame) => {
      if (!inside) return;
      pen.fillStyle = "#fbe3d3";
      pen.fillRect(x(frame), 0, x(1) + 0.5, floor);
      pen.fillStyle = TRUTH;
      pen.fillRect(x(frame), floor + 2, x(1) + 0.5, 5);
    });
    pen.font = "12px system-ui, sans-serif";
    if (weights) this.drawBars(pen, weights, wide, floor);
    pen.fillStyle = FAINT;
    pen.fillText(weights ? `${state.strip}, largest ${short(Math.max(...weights))}` : `no ${state.strip || "temporal"} weights`, 5, 14);
    pen.fillStyle = INK;
    pen.fillRect(clamp(x(state.frame + 0.5) - 1, 0, wide - 2), 0, 2, tall);
  }

  drawBars(pen, weights, wide, floor) {
    const known = weights.filter((weight) => weight !== null), low = Math.min(0, ...known), room = floor - 20;
    const unit = room / (Math.max(0, ...known) - low || 1), zero = floor + low * unit, step = stepAt(this.state.frame, this.count, weights.length);
    weights.forEach((weight, i) => {
      if (weight === null) return;
      const left = (i * wide) / weights.length, height = weight * unit;
      pen.fillStyle = i === step ? ACCENT : "#8fb8de";
      pen.fillRect(left + 1, Math.min(zero, zero - height), Math.max(1, wide / weights.length - 2), Math.max(1, Math.abs(height)));
    });
    const mean = zero - (known.reduce((sum, weight) => sum + weight, 0) / known.length) * unit;
    pen.strokeStyle = FAINT;
    pen.lineWidth = 1;
    pen.setLineDash([4, 4]); // the mean: what uniform weights would be
    pen.beginPath();
    pen.moveTo(0, mean);
    pen.lineTo(wide, mean);
    pen.stroke();
    pen.setLineDash([]);
  }

  point({ track, canvas }, event) { // the value of the cell under the pointer
    const map = track.maps[this.state.map];
    if (!map) return;
    const { values, rows, columns } = sample(map, this.state.frame, this.count, false);
    const row = clamp(Math.floor((event.offsetY / canvas.clientHeight) * rows), 0, rows - 1);
    const column = clamp(Math.floor((event.offsetX / canvas.clientWidth) * columns), 0, columns - 1);
    const step = stepAt(this.state.frame, this.count, map.shape[0]), value = values[row * columns + column];
    this.readout.textContent = `${this.state.map} ${Number.isNaN(value) ? "missing" : short(value)} at step ${step}, row ${row}, column ${column}`;
  }
}

export function boot(page) { // starts every player of a static page that has not started yet
  for (const root of page.querySelectorAll("[data-player]")) {
    const { scene, frames } = JSON.parse(root.querySelector("script").textContent);
    root.removeAttribute("data-player");
    new Player(root, scene, frames);
  }
}

function render({ model, el }) { // the notebook: the kernel hears of the frame once the player rests, never while it plays
  const root = el.appendChild(document.createElement("div")), player = new Player(root, model.get("_scene"), model.get("_frames"));
  const shown = () => player.show(model.get("_scene")), moved = () => model.get("frame") !== player.state.frame && player.seek(model.get("frame"));
  let timer;
  root.addEventListener("frame", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { model.set("frame", player.state.frame); model.save_changes(); }, 150);
  });
  model.on("change:_scene", shown);
  model.on("change:frame", moved);
  return () => { clearTimeout(timer); model.off("change:_scene", shown); model.off("change:frame", moved); player.destroy(); };
}

export default { render };
