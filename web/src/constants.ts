// Made by tools/web_constants.py from the Python package; edit the package instead.

export const RESULTS = {
  SMALL_BELOW_PX: 11.0,
  OFF_AXIS_ABOVE_DEG: 40.0,
  BLURRED_BELOW: 0.39,
  DARK_BELOW: 0.17,
  FLAT_BELOW: 0.15,
  OVEREXPOSED_ABOVE: 0.15,
  UP_UNKNOWN_BELOW: 0.2,
  FLAGS: ["small", "off-axis", "blurred", "dark", "flat", "overexposed", "orientation"],
  FLAG_REASONS: {"small": "face too small", "off-axis": "turned too far", "blurred": "too blurred", "dark": "too dark", "flat": "too little contrast", "overexposed": "overexposed", "orientation": "up unclear"},
} as const;

export const PREPROCESS = {
  TEMPLATES: {"arcface": [[0.34191607142857144, 0.4615741071428571], [0.6565339285714286, 0.4598339285714285], [0.500225, 0.6405053571428571], [0.3709758928571429, 0.8246919642857142], [0.6315169642857142, 0.8232508928571428]], "face": [[0.3577244642857143, 0.4054166964285714], [0.6408805357142857, 0.40385053571428564], [0.5002025, 0.5664548214285714], [0.3838783035714286, 0.7322227678571428], [0.6183652678571429, 0.7309258035714286]]},
  BOX: "box",
  FOREHEAD: 0.3,
} as const;

export const IMAGES = {
  MAX_PIXELS: 120000000,
  MAX_BYTES: 268435456,
  MIN_SIDE_PX: 16,
} as const;

export const YUNET = {
  STRIDES: [8, 16, 32],
  SIDE_PX: 640,
} as const;

export const DETECTORS = {
  DETECTION_THRESHOLD: 0.5,
} as const;

export const PASSES = {
  STRIDE_PX: 32,
  PADDED_RETRY_PX: 320,
  COARSE: 3,
  COARSER: 1.02,
  COARSE_TILE_PX: 1344,
  HINT_SCORE: 0.0005,
  HINT_PX: 28,
  CLEAR_HINT_PX: 18,
  MOST_HINTS: 100,
  GLIMPSES: 9,
  MEGAPIXELS: 6,
  GLIMPSE_PX: 128,
  GLIMPSE_FACES: 3.0,
  GLIMPSE_SCORE: 0.2,
} as const;

export const TILING = {
  OVERLAP: 0.25,
  LEVEL_STEP: 4,
  SLACK_PX: 8,
} as const;

export const LANDMARKS = {
  BOX_GROWTH: 1.15,
  BOX_STEPS: 512,
  POINT_STEPS: 4096,
  CLOSE_ROLL_DEG: 15.0,
  CLOSE_SCALE: 1.22,
  CLOSE_SHIFT: 0.1,
} as const;

export const ROLL = {
  CROP: 1.3,
  BINS: 24,
  HALF_WINDOW: 3,
  BATCH: 64,
} as const;

export const UPRIGHT = {
  LOWEST_SCORE: 0.02,
  CLEAR_ROLL: 0.8,
  MIDDLE: 0.65,
  DOUBTFUL_ROLL: [-0.5, 0.8],
  DETECTOR_WEIGHT: 2.0,
  CLEAR_FROM: 0.2,
  SIDE_PX: 160,
  TEMPLATE: [[0.41305383928571426, 0.4513657589285714], [0.5860936607142857, 0.45040866071428565], [0.50012375, 0.5497779464285714], [0.4290367410714286, 0.6510805803571428], [0.5723343303571429, 0.6502879910714285]],
  OFF_CENTRE_PX: 30,
} as const;

export const TURNS = {
  SAME_FACE_IOU: 0.3,
  START_GAIN: 0.3,
  DOUBTFUL_BELOW: 0.3,
  LEAST_GAIN: 0.1,
  SEARCH_PX: 1280,
} as const;

export const POSE = {
  POINTS: [17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 54],
  MEAN_FACE: [[-0.652, -0.257, 0.237], [-0.553, -0.344, 0.116], [-0.425, -0.375, 0.022], [-0.271, -0.368, -0.052], [-0.131, -0.336, -0.079], [0.131, -0.336, -0.079], [0.271, -0.368, -0.052], [0.425, -0.375, 0.022], [0.553, -0.344, 0.116], [0.652, -0.257, 0.237], [-0.0, -0.093, -0.08], [-0.0, 0.031, -0.168], [-0.0, 0.145, -0.256], [-0.0, 0.281, -0.342], [-0.141, 0.454, -0.095], [-0.068, 0.454, -0.157], [-0.0, 0.461, -0.173], [0.068, 0.454, -0.157], [0.141, 0.454, -0.095], [-0.5, -0.059, 0.159], [-0.434, -0.108, 0.074], [-0.312, -0.115, 0.055], [-0.207, -0.039, 0.093], [-0.306, -0.02, 0.068], [-0.432, -0.018, 0.089], [0.207, -0.039, 0.093], [0.312, -0.115, 0.055], [0.434, -0.108, 0.074], [0.5, -0.059, 0.159], [0.432, -0.018, 0.089], [0.306, -0.02, 0.068], [-0.284, 0.721, -0.019], [0.284, 0.721, -0.019]],
} as const;

export const QUALITY = {
  LEAST_PX: 16,
  WINDOW: 5,
  CLIPPED: 0.98,
  YAW_MAX_DEG: 60.0,
  ROWS: [0.25, 0.9],
  COLUMNS: [0.15, 0.85],
  PATCH_PX: 48,
} as const;

export const CLASSIFIER = {
  BATCH_SIZE: 16,
} as const;

export const SMOOTHING = {
  SIGMA_S: 0.15,
  WINDOW_S: 0.45,
} as const;

export const TRACKER = {
  COASTING_S: 1.0,
  REMEMBERED_S: 60.0,
  REMEMBERED_TRACKS: 64,
  FARTHEST: 1.2,
  MIN_SCORE: 0.35,
  LIKE_NEARBY: 0.8,
  LIKE_ANYWHERE: 0.93,
  CLEARLY: 0.04,
  NEWEST: 0.2,
  VELOCITY: 0.6,
} as const;

export const APPEARANCE = {
  SIDE_PX: 48,
  TEMPLATE: [[21.420070285714285, 16.652889428571427], [26.554633714285714, 16.624489714285712], [24.003672, 19.573047428571428], [21.89432657142857, 22.578972857142855], [26.146356857142855, 22.55545457142857]],
  HAIR: [[0, 12], [12, 36]],
  FACE: [[12, 26], [15, 33]],
  CLOTHES: [[31, 48], [6, 42]],
  BINS: 12,
} as const;

export const CUTS = {
  CUT_FROM: 0.4,
  CUT_RATIO: 3.0,
  GRID: 3,
  CELL_PX: 16,
  BINS: 8,
  HISTORY: 12,
} as const;

export const OCCLUSION = {
  GRID: 12,
  WINDOW: 3,
} as const;

export const ANONYMIZE = {
  CELLS: 5,
  MARGIN: 1.4,
  LEVELS: 16,
} as const;

export const TABLE = {
  DIGITS: {"eye_px": 2, "off_axis_deg": 2, "sharpness": 4, "light": 4, "contrast": 4, "clipped": 4, "upright": 4},
  COLUMNS: ["source", "frame", "time_s", "face", "track", "left", "top", "right", "bottom", "detection", "yaw_deg", "pitch_deg", "roll_deg", "eye_px", "off_axis_deg", "sharpness", "light", "contrast", "clipped", "upright", "flags", "expression", "certain", "smoothed", "smoothed_confidence", "scores_frame", "error"],
} as const;

export const PALETTE = {
  COLOURS: {"neutral": "#707070", "happiness": "#E69F00", "surprise": "#F0E442", "sadness": "#0072B2", "anger": "#D55E00", "disgust": "#009E73", "fear": "#CC79A7", "contempt": "#56B4E9"},
  FREE: ["#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#0072B2", "#D55E00", "#F0E442"],
  SERIES: ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"],
  PAPER: "#FFFFFF",
  INK: "#222222",
  MUTED: "#666666",
  FAINT: "#EEEEEE",
  UNCERTAIN: "#D0D0D0",
  FAULT: "#B00020",
  ORANGE: "#E69F00",
  BLUE: "#0072B2",
} as const;

export const EXPRESSIONS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "squint", "scream", "other"] as const;

export const LABEL_SETS: Record<string, readonly string[]> = {
  "ferplus": ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"],
  "fer2013": ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"],
  "raf-db": ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"],
  "affectnet-7": ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"],
  "affectnet-8": ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"],
  "ferplus-7": ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"],
  "ck+": ["neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"],
  "ck+7": ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"],
  "ck+48": ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"],
  "ck+48-csv": ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt"],
  "aff-wild2": ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other"],
  "caer-s": ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
  "multi-pie": ["neutral", "happiness", "surprise", "squint", "disgust", "scream"],
  "basic": ["anger", "disgust", "fear", "happiness", "sadness", "surprise"],
  "apvit-7": ["anger", "disgust", "fear", "sadness", "happiness", "surprise", "neutral"],
  "apvit-8": ["anger", "disgust", "fear", "sadness", "happiness", "surprise", "neutral", "contempt"],
};
