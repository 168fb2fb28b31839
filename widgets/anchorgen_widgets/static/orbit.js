// Looking around: an eye that circles a pivot of the room. Everything that is drawn or dragged lives in the eye's frame;
// poses are turned into it when they come from Python and back when they go there. At home the eye is the camera.

const HOME_VIEW = [0, 0, 1];
const ORBIT_START = [28, 24, 1.5];
const ORBIT_LIMITS = { pitch: [-15, 85], zoom: [0.4, 5] };
const ORBIT_DEG_PER_PX = 0.4;

class Orbit {
  // `view` is [yaw, pitch, zoom]: degrees about the room's up and the eye's right, and distance over that of the camera.
  constructor(view, pivot, up) {
    const [yaw, pitch, zoom] = view;
    const radians = (degrees) => (degrees * Math.PI) / 180;
    const turn = quatMultiply(quatAbout([1, 0, 0], radians(pitch)), quatAbout(up, radians(yaw)));
    Object.assign(this, { turn, back: quatInverse(turn), pivot, zoom });
    this.isHome = yaw === 0 && pitch === 0 && zoom === 1;
  }
  point(p) {
    return this.isHome ? p : plus(quatRotate(this.turn, minus(p, this.pivot)), times(this.pivot, this.zoom));
  }
  direction(v) {
    return this.isHome ? v : quatRotate(this.turn, v);
  }
  pose({ t, q, s }) {
    return this.isHome ? { t, q, s } : { t: this.point(t), q: quatMultiply(this.turn, q), s };
  }
  scenePose({ t, q, s }) {
    if (this.isHome) return { t, q, s };
    const there = plus(quatRotate(this.back, minus(t, times(this.pivot, this.zoom))), this.pivot);
    return { t: there, q: quatMultiply(this.back, q), s };
  }
  // Where the eye is, and how it is turned, in the scene's frame.
  eye() {
    const position = minus(this.pivot, quatRotate(this.back, times(this.pivot, this.zoom)));
    return this.isHome ? { position: [0, 0, 0], quaternion: [0, 0, 0, 1] } : { position, quaternion: this.back };
  }
}

function orbited([yaw, pitch, zoom], [right, down], closer = 1) {
  const turned = yaw + right * ORBIT_DEG_PER_PX;
  return [
    turned - 360 * Math.round(turned / 360),
    clamp(pitch + down * ORBIT_DEG_PER_PX, ...ORBIT_LIMITS.pitch),
    clamp(zoom * closer, ...ORBIT_LIMITS.zoom),
  ];
}

// The middle of the boxes, or what lies three metres ahead.
function pivotOf(boxes) {
  if (!boxes.length) return [0, -0.5, -3];
  return times(boxes.map((box) => box.t).reduce(plus), 1 / boxes.length);
}

// The part of a segment in front of the eye, as pixels; null if there is none.
function seenSegment(a, b, camera) {
  const near = -0.05;
  if (a[2] > near && b[2] > near) return null;
  const cut = (from, to) => (from[2] <= near ? from : plus(from, times(minus(to, from), (near - from[2]) / (to[2] - from[2]))));
  return [camera.project(cut(a, b)), camera.project(cut(b, a))];
}

const GRID_REACH_M = 6;

// The floor as a grid of one metre and the camera as a pyramid: what tells where one is, once the picture is gone.
function stageSegments(orbit, home) {
  const { right, up, forward } = home;
  const onFloor = (along, ahead) =>
    orbit.point(plus(times(up, home.floor), plus(times(right, along), times(forward, ahead))));
  const floor = [];
  for (let k = -GRID_REACH_M; k <= GRID_REACH_M; k++) {
    floor.push([onFloor(k, 0), onFloor(k, 2 * GRID_REACH_M)]);
    floor.push([onFloor(-GRID_REACH_M, k + GRID_REACH_M), onFloor(GRID_REACH_M, k + GRID_REACH_M)]);
  }
  const { camera } = home;
  const corners = [[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]].map((pixel) => {
    const ray = camera.ray(pixel);
    return orbit.point(times(ray, 0.6 / -ray[2]));
  });
  const apex = orbit.point([0, 0, 0]);
  const frustum = corners.flatMap((corner, k) => [[apex, corner], [corner, corners[(k + 1) % 4]]]);
  return { floor, frustum };
}
