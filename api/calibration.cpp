// Pictures and texts for Calibration::run: the caller's, or built-in captions.
#include "api/calibration.h"

#include "api/boundary.h"
#include "api/environment.h"
#include "api/texts.h"
#include "core/cpu_info.h"
#include "kernels/select.h"

namespace tw {
namespace {

// Captions of many subjects, from one word to some fifty tokens, with the digits, letters and marks that captions have.
constexpr std::string_view kCaptions[] = {
    "狗",
    "蓝天白云",
    "一碗牛肉面",
    "皮卡丘和小火龙",
    "春天公园里盛开的樱花",
    "女款短袖连衣裙，夏季新款",
    "足球运动员在雨中带球奔跑",
    "一张黑白照片：老人坐在门前的木椅上",
    "北京故宫的红墙和金色屋顶，游客很多",
    "iPhone 15 手机壳 透明防摔 6.1英寸 官方正品",
    "清晨的湖面上漂着薄雾，一只白鹭站在浅水里",
    "厨房台面上放着三个鸡蛋、一把葱和半颗白菜。",
    "孩子们围着生日蛋糕唱歌，桌上插着7根蜡烛，气球飘在空中！",
    "高速公路上发生追尾事故，警察正在指挥交通，后面排起了长队",
    "这幅水墨画描绘了江南小镇：石桥、流水、乌篷船，还有屋檐下晾晒的蓝印花布",
    "科学家在实验室里用显微镜观察细胞样本，旁边的屏幕显示着彩色的图像和一行行英文数据 DNA sequence 2023",
};

// The vocabulary of BERT-base-Chinese, which every published model has, and the places of [CLS] and [SEP] in it.
constexpr int64_t kPublishedVocabulary = 21128;
constexpr int32_t kPublishedCls = 101, kPublishedSep = 102;

}  // namespace

CalibrationInputs calibration_inputs(const LoadedModel& loaded, const ChineseClipConfig& config,
                                     const tuwen_load_options& o) {
  CalibrationInputs inputs;
  if (!loaded.processor.has_value()) {
    if (o.calibration_image_count > 0 || o.calibration_text_count > 0) {
      throw Error(
          ErrorCode::invalid_argument,
          {.field = o.calibration_image_count > 0 ? "options.calibration_images" : "options.calibration_texts",
           .note = "they need the tokenizer and the image processor, which options.without_processor leaves out"});
    }
    if (config.text.vocab_size == kPublishedVocabulary) inputs.cls_id = kPublishedCls, inputs.sep_id = kPublishedSep;
    return inputs;
  }
  if (o.calibration_image_count > 0) not_null(o.calibration_images, "options.calibration_images");
  inputs.images = static_cast<int64_t>(o.calibration_image_count);
  inputs.image = [&loaded, images = o.calibration_images, side = config.vision.image_size,
                  resize = resize_functions(select_table(query_cpu(), wanted_isa())), scratch = ImageScratch(),
                  prepared = PreparedImage()](int64_t index, std::span<float> out) mutable {
    const std::string name = "calibration_images[" + std::to_string(index) + "]";
    loaded.encoder_input->prepare(not_null(images[index], name.c_str()).image, resize, scratch, prepared);
    if (prepared.height != side || prepared.width != side) {
      throw Error(ErrorCode::shape_mismatch,
                  {.file = name,
                   .field = "preprocessor_config.json",
                   .expected = std::to_string(side) + "x" + std::to_string(side) + " pixels (vision_config.image_size)",
                   .found = std::to_string(prepared.width) + "x" + std::to_string(prepared.height)});
    }
    loaded.encoder_input->write_values(prepared, out);
  };

  EncodeOptions how;
  how.truncation = Truncation::longest_first;
  how.max_length = config.text.max_position_embeddings;
  std::vector<EncodeInput> texts;
  if (o.calibration_text_count > 0) {
    not_null(o.calibration_texts, "options.calibration_texts");
    texts = inputs_of(o.calibration_texts, nullptr, o.calibration_text_count);
  } else {
    texts.assign(std::begin(kCaptions), std::end(kCaptions));
  }
  EncodedBatch batch = loaded.processor->tokenizer.encode_batch(texts, how, 1);
  inputs.ids = std::move(batch.ids);
  inputs.offsets = std::move(batch.row_begin);
  return inputs;
}

}  // namespace tw
