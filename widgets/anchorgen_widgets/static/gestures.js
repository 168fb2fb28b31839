// Each gesture is a function of where it began that returns a function of where the pointer is now: a pose, or null if
// that place means nothing. A pose is {t, q, s}. `room` holds the camera, the floor's right / up / forward and limits.

const MIN_SIDE_M = 0.03;
const MIN_DEPTH_M = 0.2;
const MIN_DRAG_PLANE_M = 0.8;
const NEVER_EDGE_ON = 0.12;

const poseOf = ({ t, q, s }) => ({ t: [...t], q: [...q], s: [...s] });

// The point of the floor under a box that the pointer drags. Things that hang near eye level are dragged by a plane
// further below the camera: seen edge-on, their own would throw them metres at the slightest touch.
function contactPoint(box, room) {
  const foot = minus(box.t, times(room.up, reach(box, room.up)));
  const below = -dot(foot, room.up);
  return minus(foot, times(room.up, Math.max(0, MIN_DRAG_PLANE_M - below)));
}

// The grid's origin is below the camera, wherever the eye is.
function snapToGrid(point, room) {
  const from = minus(point, room.origin);
  const rounded = [room.right, room.forward].map((axis) => times(axis, roundTo(dot(from, axis), room.snap.move_m)));
  return plus(room.origin, plus(times(room.up, dot(from, room.up)), plus(...rounded)));
}

// Slides along the floor. The grab offset is kept in pixels, so that the box does not jump when it is taken.
function beginMove(box, pixel, room) {
  const start = poseOf(box);
  const contact = contactPoint(box, room);
  const grab = minus(room.camera.project(contact), pixel);
  return (now, { snap }) => {
    const hit = rayMeetsPlane(room.camera.ray(plus(now, grab)), contact, room.up);
    if (!hit) return null;
    const moved = plus(start.t, minus(hit, contact));
    const t = snap ? snapToGrid(moved, room) : moved;
    return -t[2] < MIN_DEPTH_M || -t[2] > room.maxDepth ? null : { ...start, t };
  };
}

function beginLift(box, pixel, room, grabbed) {
  const start = poseOf(box);
  const origin = nearestOnLine(room.camera.ray(pixel), grabbed, room.up);
  return (now, { snap }) => {
    const height = nearestOnLine(room.camera.ray(now), grabbed, room.up);
    if (height === null || origin === null) return null;
    const rise = snap ? roundTo(height - origin, room.snap.move_m) : height - origin;
    const t = plus(start.t, times(room.up, rise));
    return -t[2] < MIN_DEPTH_M ? null : { ...start, t };
  };
}

// Turns about the vertical: by the angle on the base plane; where that is seen edge-on, by the way across the picture.
function beginYaw(box, pixel, room) {
  const start = poseOf(box);
  const centre = minus(box.t, times(room.up, reach(box, room.up)));
  const edgeOn = Math.abs(dot(unit(centre), room.up)) < NEVER_EDGE_ON;
  const spoke = (at) => {
    const hit = rayMeetsPlane(room.camera.ray(at), centre, room.up);
    return hit && minus(hit, centre);
  };
  const from = spoke(pixel);
  return (now, { snap }) => {
    const to = spoke(now);
    let angle = ((now[0] - pixel[0]) / room.camera.width) * 2 * Math.PI;
    if (!edgeOn) {
      if (!from || !to) return null;
      angle = Math.atan2(dot(cross(from, to), room.up), dot(from, to));
    }
    if (snap) angle = roundTo(angle, (room.snap.angle_deg * Math.PI) / 180);
    return { ...start, q: quatMultiply(quatAbout(room.up, angle), start.q) };
  };
}

// Pulls one face; the opposite one stays, or with Alt the centre.
function beginResize(box, pixel, room, axis, sign) {
  const start = poseOf(box);
  const outward = quatRotate(box.q, [0, 1, 2].map((i) => (i === axis ? sign : 0)));
  const origin = nearestOnLine(room.camera.ray(pixel), start.t, outward);
  return (now, { snap, alt }) => {
    const pulled = nearestOnLine(room.camera.ray(now), start.t, outward);
    if (pulled === null || origin === null) return null;
    let side = start.s[axis] + (pulled - origin) * (alt ? 2 : 1);
    if (snap) side = roundTo(side, room.snap.size_m);
    side = Math.max(MIN_SIDE_M, side);
    const s = start.s.map((extent, i) => (i === axis ? side : extent));
    const t = alt ? start.t : plus(start.t, times(outward, (side - start.s[axis]) / 2));
    return -t[2] < MIN_DEPTH_M ? null : { ...start, t, s };
  };
}

// Keys: [right, up, forward] in steps, or a turn in steps. Each press adds to the pose so far.
function nudged(box, room, { step = [0, 0, 0], turn = 0 }, { snap }) {
  const distance = snap ? room.snap.move_m : room.snap.nudge_m;
  const angle = ((snap ? room.snap.angle_deg : room.snap.nudge_deg) * turn * Math.PI) / 180;
  const axes = [room.right, room.up, room.forward];
  const shift = step.map((count, i) => times(axes[i], count * distance)).reduce(plus);
  const t = plus(box.t, shift);
  if (-t[2] < MIN_DEPTH_M || -t[2] > room.maxDepth) return null;
  return { ...poseOf(box), t, q: quatMultiply(quatAbout(room.up, angle), box.q) };
}
