// What the overlay knows, and what it tells Python.

// What one view of the model knows; `pull` takes over what Python says, except for the box under way. The poses of
// `boxes` and the directions of `room` are those of the eye (see Orbit), `home` is the room in the scene's own frame.
function createState(model, mirror) {
  const state = { hovered: "", front: "", gesture: null, unanswered: new Map(), dirty: true };
  state.pull = () => {
    state.home = readRoom(model);
    const boxes = model.get("boxes");
    // The pivot stays while one looks around: what is dragged must not move the eye.
    state.pivot = state.orbit && !state.orbit.isHome ? state.pivot : pivotOf(boxes);
    state.orbit = new Orbit(model.get("orbit"), state.pivot, state.home.up);
    state.room = roomFrom(state.orbit, state.home);
    state.drawsEdges = model.get("draws_edges");
    // What is held was begun in the frame of another eye: it goes back to where Python has it.
    const looksElsewhere = state.looked !== String(model.get("orbit"));
    state.looked = String(model.get("orbit"));
    if (looksElsewhere) state.gesture = null;
    const held = state.gesture?.box;
    const answered = model.get("answered");
    for (const [id, { name }] of state.unanswered) if (answered.includes(name)) state.unanswered.delete(id);
    const known = (box) => ({ ...box, ...state.unanswered.get(box.id)?.pose });
    const seen = (box) => ({ ...box, ...state.orbit.pose(structuredClone(poseOf(known(box)))) });
    state.boxes = boxes.map((box) => (box.id === held?.id ? held : seen(box)));
    if (held && !state.boxes.includes(held)) state.gesture = null;
    state.selected = model.get("selected");
    state.boxes.forEach(state.mirror);
    mirror.look(state.orbit.eye());
    state.dirty = true;
  };
  state.mirror = (box) => mirror.show(box.id, state.orbit.scenePose(poseOf(box)));
  state.view = () => model.get("orbit");
  state.chosen = () => state.boxes.find((box) => box.id === state.selected);
  return state;
}

function createActions(model, state, spoken) {
  const now = () => performance.timeOrigin + performance.now();
  const message = ({ box, kind, name }) => ({
    id: box.id,
    kind,
    gesture: name,
    ...state.orbit.scenePose(poseOf(box)),
    sent_ms: now(),
  });
  const live = throttled((value) => {
    model.set("live", value);
    model.save_changes();
  }, LIVE_INTERVAL_MS);
  const say = (text) => (spoken.textContent = text);
  const actions = {
    select(id) {
      if (id === state.selected) return;
      state.selected = id;
      state.dirty = true;
      say(id ? `${state.chosen()?.label ?? id} selected` : "nothing selected");
      model.set("selected", id);
      model.save_changes();
    },
    begin(gesture) {
      const name = Math.random().toString(36).slice(2);
      state.gesture = { ...gesture, name, before: poseOf(gesture.box), moved: false };
    },
    pose(pose) {
      const { gesture } = state;
      gesture.moved = true;
      Object.assign(gesture.box, pose);
      state.mirror(gesture.box);
      live.push(message(gesture));
      state.dirty = true;
    },
    // Ends the gesture: commits it, or with `keep` false puts the box back. One that moved nothing is not a step.
    end(keep) {
      const { gesture } = state;
      state.gesture = null;
      state.dirty = true;
      live.drop();
      if (!gesture.moved) return;
      if (!keep) Object.assign(gesture.box, gesture.before);
      else state.unanswered.set(gesture.box.id, { name: gesture.name, pose: state.orbit.scenePose(poseOf(gesture.box)) });
      state.mirror(gesture.box);
      model.send({ type: keep ? "commit" : "cancel", ...message(gesture) });
      say(`${gesture.box.label}: ${keep ? `${gesture.kind} done` : "back where it was"}`);
    },
    command(name) {
      model.send({ type: "command", name, id: state.selected });
      say(name);
    },
    look(view) {
      model.set("orbit", view);
      model.save_changes();
      say(state.orbit.isHome ? "through the camera" : "looking around");
    },
    drop(key, pixel) {
      const { position, quaternion } = state.orbit.eye();
      const direction = quatRotate(quaternion, state.room.camera.ray(pixel));
      model.send({ type: "drop", key, origin: position, direction });
    },
  };
  return actions;
}
