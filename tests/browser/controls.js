// What a hand can move in a notebook, and what an eye can see of it. The expression is an object for the tests.
(() => {
  const ROOTS = [".wb-panel", ".wb-explorer", ".wb-linked", ".wb-player"];
  const OURS = ".wb-transport button, .wb-options select, .wb-options input, .wb-transport input, .wb-strip, summary";
  const KERNELS = ".widget-inline-hbox :is(select, input:not([type=hidden])), .widget-checkbox input, .noUi-handle, "
    + ".jupyter-button";
  const within = (root, selector) => // of this root, not of one inside of it
    [...root.querySelectorAll(selector)].filter((node) => node.closest(ROOTS.join()) === root);

  function kind(node) {
    if (node.matches(".noUi-handle")) return "slider";
    if (node.tagName === "SELECT") return node.multiple ? "several" : "menu";
    if (node.tagName === "INPUT") return node.type;
    return { BUTTON: "button", SUMMARY: "summary", CANVAS: "strip" }[node.tagName];
  }

  function label(node) {
    if (node.matches(".wb-strip")) { // one a pane
      return `strip ${[...node.closest(".wb-panes").children].indexOf(node.closest(".wb-pane")) + 1}`;
    }
    const own = node.title || node.ariaLabel || (/BUTTON|SUMMARY/.test(node.tagName) && node.textContent);
    const said = node.closest("label")?.querySelector("span") ?? node.closest(".widget-inline-hbox, .widget-checkbox");
    return (own || (said?.querySelector(".widget-label, label") ?? said)?.textContent || "").trim();
  }

  function hash(values) { // FNV-1a
    let found = 2166136261;
    for (let i = 0; i < values.length; i++) {
      found = Math.imul(found ^ (typeof values === "string" ? values.charCodeAt(i) : values[i]), 16777619);
    }
    return found >>> 0;
  }

  function pixels(canvas) {
    const { width, height } = canvas;
    return width && height ? hash(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer)) : 0;
  }

  return {
    roots() {
      return ROOTS.flatMap((selector) => [...document.querySelectorAll(`.jp-Notebook ${selector}`)].map(
        (root, i) => ({ root, name: `${selector.slice(4)} ${i + 1}` })));
    },
    root(name) {
      return this.roots().find((one) => one.name === name).root;
    },
    controls() { // {root, node, kind, name}; disabled ones move nothing
      return this.roots().flatMap(({ root, name }) => within(root, root.player ? OURS : KERNELS)
        .filter((node) => !node.disabled && node.offsetParent && !node.closest(".wb-save")) // which writes, and shows nothing
        .map((node) => ({ root, node, kind: kind(node), name: `${name}: ${label(node)}` })));
    },
    names() {
      return this.controls().map(({ name, kind }) => [name, kind]);
    },
    find(name) {
      return this.controls().find((one) => one.name === name);
    },
    players(root) {
      return [root, ...root.querySelectorAll(".wb-player")].map((node) => node.player).filter(Boolean);
    },
    failures() { // what cells raised
      const [notebook] = [...globalThis.jupyterapp.shell.widgets("main")];
      const outputs = notebook.content.model.sharedModel.cells.flatMap((cell) => cell.outputs ?? []);
      return outputs.filter((output) => output.output_type === "error").map((output) => output.evalue);
    },
    height() { // of a window that shows the whole notebook
      document.querySelector(".jp-WindowedPanel-outer").scrollTop = 0;
      return Math.ceil(document.querySelector(".jp-WindowedPanel-viewport").getBoundingClientRect().height) + 250;
    },
    complete() { // every figure is drawn
      const plots = [...document.querySelectorAll(".jp-Notebook .js-plotly-plot")];
      const players = this.players(document.querySelector(".jp-Notebook"));
      return plots.every((plot) => plot.querySelector(".main-svg") && (plot._fullData?.length || plot.layout?.annotations)) && players.every((one) => one.bitmaps.length);
    },
    rest(name) { // a player shows its middle frame, the right hand chosen; a panel makes new ones, which start at the first
      const { root } = this.find(name);
      if (root.matches(".wb-panel, .wb-linked")) return true;
      for (const player of this.players(root)) {
        player.chosen = { person: 0, joint: Math.max(0, player.scene.pose?.names.indexOf("hand_right") ?? 0) };
        player.nudge(Math.floor(player.count / 2) - player.state.frame);
      }
      return true;
    },
    seek(name, by) {
      for (const player of this.players(this.find(name).root)) player.nudge(by);
      return true;
    },
    focus(name) {
      this.find(name).node.focus();
      return true;
    },
    place(name, share) { // where a control is on the screen
      const box = this.find(name).node.getBoundingClientRect();
      return [box.x + box.width * share, box.y + box.height / 2];
    },
    explorer(name) { // the one that a control is in
      const root = this.find(name).root.closest(".wb-explorer");
      return this.roots().find((one) => one.root === root).name;
    },
    path(explorer) { // on its first picture: from the right hand to a place beside it
      const canvas = this.root(explorer).querySelector(".wb-picture canvas"), box = canvas.getBoundingClientRect();
      const { scene, state } = canvas.closest(".wb-player").player, zoom = box.width / scene.size[0];
      const [x, y] = scene.pose.joints[0][state.frame][scene.pose.names.indexOf("hand_right")];
      return [[0, 0], [0.1, 0.1], [0.2, 0.2]].map(([right, down]) => [box.x + x * zoom + right * box.width, box.y + y * zoom + down * box.height]);
    },
    linked() { // the figures that listen: each with the view that a click in it changes
      return [...document.querySelectorAll(".jp-Notebook .widget-vbox")].filter((box) => !box.closest(".wb-panel")
        && [...box.children].some((child) => child.matches(".js-plotly-plot") || child.querySelector(".js-plotly-plot")));
    },
    spot(i) { // on the screen: the highest cell of the heat map of such a figure
      const plot = this.linked()[i].querySelector(".js-plotly-plot"), box = plot.getBoundingClientRect();
      const trace = plot._fullData.find((one) => one.type === "heatmap"), { _fullLayout: layout } = plot;
      const rows = plot.calcdata[plot._fullData.indexOf(trace)][0].z.map((row) => [...row]), top = Math.max(...rows.flat());
      const row = rows.findIndex((cells) => cells.includes(top)), column = rows[row].indexOf(top);
      const { x, y } = plot.calcdata[plot._fullData.indexOf(trace)][0]; // the edges of the cells
      const [across, down] = ["x", "y"].map((name) => layout[`${name}axis${trace[`${name}axis`].slice(1)}`]);
      const middle = (edges, at, axis) => axis._offset + axis.c2p((edges[at] + edges[at + 1]) / 2);
      return [box.x + middle(x, column, across), box.y + middle(y, row, down)];
    },
    away(i) { // from the moment that a player opens at, which is the one that such a click shows
      for (const player of this.players(this.linked()[i])) player.nudge(player.state.frame ? -player.state.frame : player.count - 1);
      return true;
    },
    answer(i) { // what a click there has opened or moved
      return this.players(this.linked()[i]).map((player) => player.root.querySelector("h3").textContent + player.state.frame).join();
    },
    point(explorer, tool) {
      const [player] = this.players(this.root(explorer));
      player.set("tool", tool);
      player.root.focus();
      return true;
    },
    changes(explorer) { // what was done, in words
      return [...this.root(explorer).children].find((child) => child.matches(".widget-html")).textContent;
    },
    said(name) {
      return this.find(name)?.root.querySelector("[role=alert]")?.textContent ?? "";
    },
    choose(name, options) { // in a menu, by position
      const { node } = this.find(name);
      [...node.options].forEach((option, i) => (option.selected = options.includes(i)));
      node.dispatchEvent(new Event("change", { bubbles: true }));
    },
    type(name, text) { // the number beside a slider
      const readout = this.find(name).node.closest(".widget-inline-hbox").querySelector(".widget-readout");
      readout.focus();
      readout.textContent = text;
      readout.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 13, bubbles: true }));
    },
    state(name) {
      const { node } = this.find(name), slid = node.matches(".noUi-handle");
      return {
        options: node.options?.length,
        chosen: [...(node.selectedOptions ?? [])].map((option) => option.index),
        last: slid ? node.ariaValueNow === node.ariaValueMax : node.value === node.max,
        text: node.closest(".widget-inline-hbox")?.querySelector(".widget-readout")?.textContent,
      };
    },
    look(name) { // what a root shows, in one number; null while something is still being drawn
      const { root } = this.find(name) ?? {};
      const notebook = [...globalThis.jupyterapp.shell.widgets("main")][0];
      if (!root || notebook.sessionContext.session?.kernel?.status !== "idle") return null;
      const players = this.players(root);
      const plots = [...root.querySelectorAll(".js-plotly-plot")];
      const drawn = plots.every((plot) => plot.querySelector(".main-svg")) && players.every((one) => one.bitmaps.length && !one.asked);
      if (!drawn || !(plots.length + players.length) || root.querySelector("[role=alert]")) return null;
      const texts = [...root.querySelectorAll(".wb-answer table, .wb-clock, .wb-legend, .wb-blank:not([hidden])")].map((node) => node.textContent);
      const bars = [...root.querySelectorAll(".wb-bar")].map((node) => node.style.background);
      return hash(JSON.stringify([
        plots.map(({ data, layout: { title, annotations, images, shapes } }) => // plotly fills in the rest by and by
          hash(JSON.stringify([data, title, annotations, images, shapes]))),
        players.flatMap((player) => [player.root, ...player.root.querySelectorAll("canvas")].slice(1).map(pixels)),
        texts, bars, [...root.querySelectorAll("details")].map((node) => node.open),
      ]));
    },
  };
})()
