/**
 * Logrung: training neural networks in low precision. The public surface.
 *
 * @packageDocumentation
 */
export {
  addFormat,
  BlockFormatError,
  blockFormat,
  blockFormatNames,
  dequantiseBlock,
  format,
  formatExamples,
  isBlockFormat,
  quantiseBlock,
  tableFormat,
  tensorScaleOf,
  UnknownFormatError,
} from "./formats/index.ts";
export type {
  BlockFormat,
  BlockOptions,
  BlockScaleRule,
  BlockSize,
  Coding,
  FormatFamily,
  FormatInfo,
  QuantisedBlock,
  Rounding,
  ScalarFormat,
  TableOptions,
} from "./formats/index.ts";

export { parsePolicy, PolicyError } from "./precision/parse-policy.ts";
export { describePolicy } from "./precision/describe-policy.ts";
export { policyAt } from "./precision/layers.ts";
export type { LayerOverrides, LayerPolicy, Policy, ScaleRule, TensorPrecision } from "./precision/policy.ts";
export { presets } from "./precision/presets.ts";

export { normal } from "./random/normal.ts";
export { streamKey, type Key } from "./random/stream.ts";

export type { Backend, Buffer, BufferSlice, Call, Executable, HostArray, Kernel } from "./kernels/backend.ts";
export { columns } from "./kernels/columns.ts";
export { decodeValue, encodeValue, stepRungs } from "./kernels/codec.ts";
export { gather } from "./kernels/gather.ts";
export { gemm } from "./kernels/gemm.ts";
export { pointwise } from "./kernels/pointwise.ts";
export {
  constant,
  f32,
  fma,
  i32,
  index,
  lookup,
  max,
  min,
  ProgramError,
  select,
  Table,
  u32,
  Value,
} from "./kernels/program.ts";
export { randomBits, uniformFloat } from "./kernels/random.ts";
export { rows } from "./kernels/rows.ts";
export {
  element,
  gathered,
  output,
  perBlock,
  perColumn,
  perRow,
  scalar,
  table,
} from "./kernels/signature.ts";
export { createReferenceBackend } from "./kernels/reference/index.ts";
export { createWasmBackend, describeEngine } from "./kernels/wasm/index.ts";

export { Device } from "./tensor/device.ts";
export type { Parameter, ParameterKind } from "./tensor/parameter.ts";
export { FreedTensorError } from "./tensor/storage.ts";
export { backward, type Gradients } from "./tensor/tape.ts";
export { item, readTensor, readValues, ShapeError, type Encoding, type Tensor } from "./tensor/tensor.ts";

export { add } from "./ops/add.ts";
export { discriminatorHingeLoss, generatorHingeLoss } from "./ops/adversarial-losses.ts";
export { affine } from "./ops/affine.ts";
export { batchNorm, type BatchNormOptions, type RunningStatistics } from "./ops/batch-norm.ts";
export { concatenate } from "./ops/concatenate.ts";
export { conditionalAffine } from "./ops/conditional-affine.ts";
export { conv2d, type Images } from "./ops/conv2d.ts";
export { convTranspose2d, type ConvTransposeOptions } from "./ops/conv-transpose2d.ts";
export type { ConvOptions, ImageShape } from "./ops/conv-geometry.ts";
export { exactGelu } from "./ops/exact-gelu.ts";
export { gatedSum } from "./ops/gated-sum.ts";
export { groupNorm } from "./ops/group-norm.ts";
export { leakyRelu } from "./ops/leaky-relu.ts";
export { binaryCrossEntropy, hingeLoss, meanSquaredError } from "./ops/losses.ts";
export { nonLocalAttention } from "./ops/non-local.ts";
export {
  averagePool,
  globalAveragePool,
  maxPool,
  rectifiedMaxPool,
  type AveragePoolOptions,
  type PoolOptions,
} from "./ops/pooling.ts";
export { rmsNorm } from "./ops/rms-norm.ts";
export { rowDot } from "./ops/row-dot.ts";
export { sigmoid, silu } from "./ops/sigmoid.ts";
export { softplus } from "./ops/softplus.ts";
export { spectralNorm, type SpectralNormOptions } from "./ops/spectral-norm.ts";
export { tanh } from "./ops/tanh.ts";
export { upsampledShape, upsampleNearest } from "./ops/upsample.ts";
export { causalAttention, selfAttention } from "./ops/attention.ts";
export { attentionProbabilities, type AttentionProbabilities } from "./ops/attention-probabilities.ts";
export { crossEntropy } from "./ops/cross-entropy.ts";
export { dropout } from "./ops/dropout.ts";
export { embedding } from "./ops/embedding.ts";
export { fusedCausalAttention, fusedCrossAttention, fusedSelfAttention } from "./ops/fused-attention.ts";
export type { FusedAttentionOptions, FusedCausalAttentionOptions } from "./ops/fused-attention.ts";
export { gelu } from "./ops/gelu.ts";
export { layerNorm } from "./ops/layer-norm.ts";
export { linear } from "./ops/linear.ts";
export { linearCrossEntropy, type LinearCrossEntropyOptions } from "./ops/linear-cross-entropy.ts";
export type { LayerPrecision } from "./ops/operand.ts";
export { mean } from "./ops/mean.ts";
export { packed, unpacked } from "./ops/pack.ts";
export { product, type Side } from "./ops/product.ts";
export { bytesOf, dequantise, quantise, type QuantisedAxes } from "./ops/quantise.ts";
export { relu } from "./ops/relu.ts";
export { reshape } from "./ops/reshape.ts";
export { smoothedCrossEntropy, type Softening } from "./ops/smoothed-cross-entropy.ts";
export { softmax } from "./ops/softmax.ts";

export { type OutputLayer, outputLogits, outputLoss } from "./nn/output-layer.ts";
export { ParameterSet } from "./nn/parameter-set.ts";
export { evaluationPass, precisionAt, trainingPass, type Pass } from "./nn/pass.ts";
export { createGroup, OptimizerGroup, type GroupSpec } from "./optim/group.ts";
export type { StatePrecision } from "./optim/fields.ts";
export type {
  Change,
  Optimizer,
  Reduction,
  StateField,
  StateFields,
  Update,
  UpdateScope,
  Variant,
} from "./optim/optimizer.ts";
export { optimizers } from "./optim/optimizers.generated.ts";
export { OptionError } from "./optim/options.ts";
export { learningRateFactor, type Schedule } from "./optim/schedules.ts";

export { gpt2 } from "./models/gpt2.ts";
export { convnet } from "./models/convnet.ts";
export {
  gan,
  ganPreset,
  ganPresets,
  type GanConfig,
  type GanDefinition,
  type GanModel,
} from "./models/gan.ts";
export type { ImageModel, ImageModelDefinition, ImageTask } from "./models/image-model.ts";
export { imagePreset, imagePresets } from "./models/image-presets.ts";
export { type InceptionConfig, type InceptionVariant } from "./models/inception-layers.ts";
export { InceptionV3 } from "./models/inception-v3.ts";
export { InceptionError, type InceptionWeights, readInceptionV3 } from "./models/inception-weights.ts";
export { mlp } from "./models/mlp.ts";
export { resnet, type ResNetConfig } from "./models/resnet.ts";
export { vit, type VitConfig } from "./models/vit.ts";
export { type HuggingFaceCheckpoint, HuggingFaceError } from "./models/huggingface.ts";
export { type Gpt2Weights, readHuggingFaceGpt2, writeHuggingFaceGpt2 } from "./models/huggingface-gpt2.ts";
export { type LanguagePreset, languagePresets } from "./models/language-presets.ts";
export {
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelDefinition,
  languageParameterCount,
} from "./models/model.ts";
export {
  type BertWeights,
  huggingFaceBertShape,
  readHuggingFaceBert,
  writeHuggingFaceBert,
} from "./models/huggingface-bert.ts";
export { readHuggingFaceVit, type VitWeights, writeHuggingFaceVit } from "./models/huggingface-vit.ts";
export { bert, bertClassifier } from "./models/bert.ts";
export {
  type EncoderConfig,
  type EncoderDefinition,
  encoderParameterCount,
  type MaskedModel,
  type Sequences,
  type TextClassifier,
} from "./models/encoder.ts";
export { type EncoderPreset, encoderPresets } from "./models/encoder-presets.ts";
export { sample } from "./models/sample.ts";
export { transformerLm } from "./models/transformer-lm.ts";

export { attentionOf, type LayerAttention, type SeenAttention } from "./train/attention-maps.ts";
export { createGroups, type GroupsSpec } from "./train/parameter-groups.ts";
export { createGanTrainer, type GanTrainer, type GanTrainerSpec } from "./train/gan-trainer.ts";
export { createImageTrainer, type ImageTrainer, type ImageTrainerSpec } from "./train/image-trainer.ts";
export { createTrainer, textFeed, type LanguageTrainer } from "./train/language-trainer.ts";
export { createMaskedTrainer, maskedFeed, type MaskedTrainer } from "./train/masked-trainer.ts";
export { createTextTrainer, labelledFeed, type TextTrainer } from "./train/text-trainer.ts";
export { trainingLoop, type LoopOptions, type LoopResult } from "./train/loop.ts";
export type {
  Evaluation,
  Feed,
  Measurement,
  Task,
  TrainedModel,
  Update as StepUpdate,
} from "./train/task.ts";
export { createTaskTrainer, Trainer, type TrainingOptions } from "./train/trainer.ts";
