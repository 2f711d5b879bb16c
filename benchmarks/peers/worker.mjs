// One peer that runs in Node (WebAssembly), asked by benchmarks/side_by_side.py: node worker.mjs human PEERS_FOLDER
// A request is a line of JSON: {file, shape: [count, height, width, 3], given}. `file` holds RGB bytes; `given`: each
// image is one face. The response: {faces: per image [{box, scores}], cpu_ms: per image, ms: per image}.
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { createRequire } from 'node:module'

const [name, folder] = process.argv.slice(2)
const modules = path.resolve(folder, 'node_modules')
const require = createRequire(path.join(modules, 'index.js'))
const wasm = path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/')
globalThis.fetch = async (url) => new Response(fs.readFileSync(String(url).replace('file://', '')))
console.log = console.info = console.error // the standard output is for responses

async function human() {
  const { Human } = require(path.join(modules, '@vladmandic/human/dist/human.node-wasm.js'))
  const off = { enabled: false }
  const fresh = { skipFrames: 0, skipTime: 0 } // each image is another one: nothing of the last may be kept
  const peer = new Human({
    backend: 'wasm', wasmPath: wasm, modelBasePath: `file://${modules}/@vladmandic/human/models/`, cacheSensitivity: 0,
    filter: off, body: off, hand: off, object: off, gesture: off, segmentation: off,
    face: {
      enabled: true, detector: { rotation: true, maxDetected: 50, ...fresh }, mesh: { enabled: true, ...fresh },
      emotion: { enabled: true, minConfidence: 0, ...fresh }, iris: off, description: off, antispoof: off, liveness: off,
    },
  })
  await peer.load()
  return async (pixels, height, width) => {
    const image = peer.tf.tensor(pixels, [1, height, width, 3], 'int32')
    const { face } = await peer.detect(image)
    image.dispose()
    return face.map(({ box: [x, y, w, h], emotion }) => ({
      box: [x, y, x + w, y + h],
      scores: Object.fromEntries((emotion ?? []).map(({ emotion, score }) => [emotion, score])),
    }))
  }
}

async function faceApi() {
  require('@tensorflow/tfjs')
  const api = require(path.join(modules, '@vladmandic/face-api/dist/face-api.node-wasm.js'))
  require('@tensorflow/tfjs-backend-wasm').setWasmPaths(wasm)
  await api.tf.setBackend('wasm')
  await api.tf.ready()
  const models = path.join(modules, '@vladmandic/face-api/model')
  await api.nets.ssdMobilenetv1.loadFromDisk(models)
  await api.nets.faceExpressionNet.loadFromDisk(models)
  const options = new api.SsdMobilenetv1Options({ minConfidence: 0.5, maxResults: 50 })
  return async (pixels, height, width, given) => {
    const image = api.tf.tensor(pixels, [height, width, 3], 'int32')
    try {
      if (given) return [{ box: [0, 0, width, height], scores: { ...(await api.nets.faceExpressionNet.predictExpressions(image)) } }]
      const faces = await api.detectAllFaces(image, options).withFaceExpressions()
      return faces.map(({ detection: { box }, expressions }) => ({
        box: [box.left, box.top, box.right, box.bottom], scores: { ...expressions },
      }))
    } finally {
      image.dispose()
    }
  }
}

const predict = await { human, 'face-api': faceApi }[name]()
process.stdout.write('{"ready": true}\n')
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { file, shape: [count, height, width], given } = JSON.parse(line)
  const bytes = new Uint8Array(fs.readFileSync(file))
  const response = { faces: [], cpu_ms: [], ms: [] }
  for (let i = 0; i < count; i++) {
    const pixels = bytes.subarray(i * height * width * 3, (i + 1) * height * width * 3)
    const began = performance.now()
    const used = process.cpuUsage()
    response.faces.push(await predict(pixels, height, width, given))
    const { user, system } = process.cpuUsage(used)
    response.cpu_ms.push((user + system) / 1000)
    response.ms.push(performance.now() - began)
  }
  process.stdout.write(JSON.stringify(response) + '\n')
}
