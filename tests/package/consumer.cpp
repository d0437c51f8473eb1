#include <iostream>
#include <tuwen/tuwen.hpp>

int main(int argc, char** argv) try {  // MODEL IMAGE TEXT...
  if (argc < 4) return 2;
  const tuwen::Model model = tuwen::Model::load(argv[1]);
  tuwen::Session session(model);
  const tuwen::Image image = tuwen::Image::read(argv[2]);
  const std::vector<std::string> labels(argv + 3, argv + argc);

  const tuwen::Matrix pictures = session.encode_images({&image, 1});
  const tuwen::Matrix texts = session.encode_texts(labels);
  const tuwen::Matrix probabilities = tuwen::softmax(session.logits(pictures, texts));
  for (size_t t = 0; t < labels.size(); ++t) std::cout << labels[t] << ": " << probabilities(0, t) << "\n";
} catch (const tuwen::Error& error) {
  std::cerr << error.what() << "\n";  // "truncated: cat.jpg: ..."
  return 1;
}
