// Vectors, quaternions, the pinhole camera and boxes, in three.js's camera frame: x right, y up, looking along -z.
// Lengths are metres. Quaternions are [x, y, z, w]. A box is {t: centre, q: object to camera, s: full extents}.
// Pixels are [right, down]. These files are joined into one module (front_end.py), so that there is no build step.

const plus = (a, b) => a.map((x, i) => x + b[i]);
const minus = (a, b) => a.map((x, i) => x - b[i]);
const times = (a, k) => a.map((x) => x * k);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const length = (a) => Math.hypot(...a);
const unit = (a) => times(a, 1 / length(a));
const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const roundTo = (x, step) => Math.round(x / step) * step;

function quatMultiply([ax, ay, az, aw], [bx, by, bz, bw]) {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}
const quatInverse = ([x, y, z, w]) => [-x, -y, -z, w];
const quatAbout = (axis, angle) => [...times(axis, Math.sin(angle / 2)), Math.cos(angle / 2)];

function quatRotate(q, v) {
  const axis = q.slice(0, 3);
  const turn = times(cross(axis, v), 2);
  return plus(plus(v, times(turn, q[3])), cross(axis, turn));
}

// A camera whose focals are divided by the picture's width and height, its principal point at the centre.
class PinholeCamera {
  constructor([width, height], [fx, fy]) {
    Object.assign(this, { width, height, focal: [fx * width, fy * height] });
  }
  project([x, y, z]) {
    const depth = Math.max(-z, 0.02);
    return [
      (this.focal[0] * x) / depth + this.width / 2,
      (-this.focal[1] * y) / depth + this.height / 2,
    ];
  }
  ray([right, down]) {
    return unit([(right - this.width / 2) / this.focal[0], -(down - this.height / 2) / this.focal[1], -1]);
  }
  sees([right, down], margin = 0) {
    return right >= margin && down >= margin && right <= this.width - margin && down <= this.height - margin;
  }
}

// Where the ray from the camera along `direction` meets the plane through `point`; null if behind or edge-on.
function rayMeetsPlane(direction, point, normal) {
  const slope = dot(direction, normal);
  const distance = Math.abs(slope) < 1e-4 ? -1 : dot(point, normal) / slope;
  return distance > 0 && distance < 200 ? times(direction, distance) : null;
}

// How far along the line `origin + k * axis` the point nearest to the camera ray lies; null if they are parallel.
function nearestOnLine(direction, origin, axis) {
  const along = dot(direction, axis);
  const spread = 1 - along * along;
  if (spread < 0.01) return null;
  return (along * dot(direction, origin) - dot(axis, origin)) / spread;
}

const CORNERS = Array.from({ length: 8 }, (_, k) => [0, 1, 2].map((axis) => ((k >> axis) & 1 ? 1 : -1)));
const EDGES = [0, 1, 2].flatMap((axis) =>
  CORNERS.map((_, k) => [k, k | (1 << axis)]).filter(([a, b]) => a !== b),
);

// The point of the box with coordinates in [-1, 1] along its own axes.
const boxPoint = (box, at) => plus(box.t, quatRotate(box.q, at.map((x, i) => (x * box.s[i]) / 2)));
const boxCorners = (box) => CORNERS.map((sign) => boxPoint(box, sign));

// Half of the box's extent along a direction.
function reach(box, direction) {
  const local = quatRotate(quatInverse(box.q), direction);
  return dot(local.map(Math.abs), box.s) / 2;
}

// Distance along the camera ray to the box, or null (slab test in the box's own frame).
function rayHitsBox(direction, box) {
  const inverse = quatInverse(box.q);
  const origin = quatRotate(inverse, times(box.t, -1));
  const way = quatRotate(inverse, direction);
  let near = -Infinity;
  let far = Infinity;
  for (let axis = 0; axis < 3; axis++) {
    const sides = [-1, 1].map((sign) => ((sign * box.s[axis]) / 2 - origin[axis]) / way[axis]);
    near = Math.max(near, Math.min(...sides));
    far = Math.min(far, Math.max(...sides));
  }
  return near <= far && far > 0 ? Math.max(near, 0) : null;
}

// The boxes under a camera ray, those that cover the least of the picture first: a box is mostly air, and a small one
// behind or inside a large one (a chair beside a bed's headboard) could not be reached otherwise.
function boxesAlong(direction, boxes, camera) {
  const hits = boxes.map((box) => ({ box, distance: rayHitsBox(direction, box) }));
  const area = ({ box }) => polygonArea(convexHull(boxCorners(box).map((corner) => camera.project(corner))));
  return hits
    .filter((hit) => hit.distance !== null)
    .map((hit) => ({ ...hit, area: area(hit) }))
    .sort((a, b) => a.area - b.area);
}

const polygonArea = (points) =>
  Math.abs(points.reduce((sum, [x, y], i) => sum + x * points.at(i - 1)[1] - y * points.at(i - 1)[0], 0)) / 2;

// Counter-clockwise convex hull of pixels (monotone chain).
function convexHull(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const chain = (ordered) => {
    const kept = [];
    for (const p of ordered) {
      const turnsRight = () => {
        const [a, b] = kept.slice(-2);
        return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) <= 0;
      };
      while (kept.length > 1 && turnsRight()) kept.pop();
      kept.push(p);
    }
    return kept.slice(0, -1);
  };
  return [...chain(sorted), ...chain(sorted.reverse())];
}
