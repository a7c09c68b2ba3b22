/**
 * What a person does at the wall, by key, button and pointer, and which module it leads to. It
 * must not decide how the wall looks then.
 * @module
 */

import { Drag } from "./drag.js";
import { listen } from "./keys.js";
import { say } from "./speech.js";
import { Walk } from "./walk.js";

/** @typedef {import("./tile.js").Tile} Tile */

/**
 * What a person's acts reach.
 * @typedef {object} Reach
 * @property {import("./board.js").Board} board
 * @property {import("./cursor.js").Cursor} cursor
 * @property {import("./cycle.js").Cycle} cycle
 * @property {import("./fleet.js").Fleet} fleet
 * @property {import("./hand.js").Hand} hand
 * @property {import("./header.js").Header} header
 * @property {import("./pause.js").Pause} pause
 * @property {import("./stage.js").Stage} stage
 */

/** Of one page, as long as that lives. */
export class Controls {
  #list;
  #reach;
  #walk;
  #drag;

  /** @type {Record<string, (tile: Tile) => void>} what the buttons of a tile do */
  #acts = {
    open: (tile) => this.#reach.stage.show(tile),
    move: () => say("drag it, or press Shift and an arrow key"),
    pause: (tile) => this.#reach.pause.toggle(tile),
    resize: (tile) => this.#reach.hand.resize(tile),
    hide: (tile) => this.#hide(tile),
  };

  /**
   * @param {HTMLElement} list of tiles
   * @param {HTMLElement} room that scrolls it
   * @param {Reach} reach
   */
  constructor(list, room, reach) {
    const { board, cursor, cycle, hand } = reach;
    this.#list = list;
    this.#reach = reach;
    this.#walk = new Walk(board, cursor, (step) => cycle.turn(step));
    this.#drag = new Drag(list, room, {
      find: (target) => this.#tileAt(target),
      onBegin: () => hand.lift(),
      onOver: (tile, target) => hand.place(tile, target),
      onEnd: (tile, isDone) => hand.land(tile, isDone),
    });
  }

  listen() {
    const { cursor, header, pause, stage } = this.#reach;
    listen({
      move: (columns, rows) => this.#move(columns, rows),
      carry: (columns, rows) => this.#carry(columns, rows),
      leave: () => this.#drag.cancel() || stage.close(),
      snapshot: () => cursor.tile?.hasPicture && cursor.tile.snapshot.click(),
      search: () => header.focusSearch(),
      pause: () => this.#actOn("pause", cursor.tile),
      pauseAll: () => pause.toggleAll(),
      resize: () => this.#actOn("resize", cursor.tile),
      hide: () => this.#actOn("hide", cursor.tile),
      help,
      isStaged: () => Boolean(stage.tile),
    });
    this.#list.addEventListener("click", (event) => this.#press(event.target));
    this.#list.addEventListener("focusin", ({ target }) => cursor.set(this.#tileAt(target)));
    onClick("previous", () => this.#move(-1, 0));
    onClick("next", () => this.#move(1, 0));
    onClick("close", () => stage.close());
    onClick("pause", () => pause.toggleAll());
    onClick("help-button", help);
  }

  /** @param {EventTarget | null} target */
  #press(target) {
    const button = target instanceof Element && target.closest("button");
    if (button) this.#actOn(button.classList[0], this.#tileAt(button));
  }

  /**
   * @param {string} name of an act
   * @param {Tile | null} tile
   */
  #actOn(name, tile) {
    if (tile && Object.hasOwn(this.#acts, name)) this.#acts[name](tile);
  }

  /**
   * @param {number} columns
   * @param {number} rows
   */
  #move(columns, rows) {
    const { stage } = this.#reach;
    const tile = this.#walk.next(columns, rows, Boolean(stage.tile));
    if (!tile) return;
    if (stage.tile) stage.show(tile);
    else tile.button.focus();
  }

  /**
   * @param {number} columns
   * @param {number} rows
   */
  #carry(columns, rows) {
    const { cursor: { tile }, hand, stage } = this.#reach;
    const target = this.#walk.beside(columns, rows);
    if (stage.tile || !tile || !target || target === tile) return;
    hand.place(tile, target);
    tile.button.focus();
    hand.tellPlace(tile);
  }

  /** @param {Tile} tile */
  #hide(tile) {
    const { hand, stage } = this.#reach;
    if (tile.state !== "online" && stage.tile === tile) stage.close();
    hand.hide(tile);
  }

  /** @param {EventTarget | null} target */
  #tileAt(target) {
    const found = target instanceof Element && target.closest("[data-camera]");
    return (found && this.#reach.fleet.ofCamera(found.getAttribute("data-camera") ?? "")) || null;
  }
}

function help() {
  document.querySelector("dialog")?.showModal();
}

/**
 * @param {string} id of a button
 * @param {() => void} act
 */
function onClick(id, act) {
  document.getElementById(id)?.addEventListener("click", act);
}
