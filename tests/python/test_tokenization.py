import pickle
import threading

import numpy as np
import pytest

import tuwen


@pytest.fixture(scope="module")
def tokenizer(data):
    return tuwen.BertTokenizerFast(str(data / "tokenizer" / "vocab.txt"))


def test_sources_of_tokens(tokenizer):
    batch = tokenizer("hello 杰尼", "龟", return_offsets_mapping=True)
    assert batch.tokens() == ["[CLS]", "hello", "杰", "尼", "[SEP]", "龟", "[SEP]"]
    assert batch.word_ids() == [None, 0, 1, 2, None, 0, None]
    assert batch.sequence_ids() == [None, 0, 0, 0, None, 1, None]
    assert batch.char_to_token(6) == 2 and batch.token_to_chars(1) == (0, 5)
    assert batch.word_to_tokens(1) == (2, 3) and batch.n_sequences == 2
    assert batch["offset_mapping"][1] == (0, 5)


def test_lone_surrogates_vanish(tokenizer):
    batch = tokenizer(["a\ud800b", "ab"], return_offsets_mapping=True)
    assert batch.input_ids[0] == batch.input_ids[1]
    assert batch.encodings[0].offsets[1] == (0, 3) or len(batch.input_ids[0]) > 3


def test_special_tokens_of_a_text_can_be_split(tokenizer):
    assert tokenizer.sep_token_id in tokenizer("a [SEP] b").input_ids[1:-1]
    assert tokenizer.sep_token_id not in tokenizer("a [SEP] b", split_special_tokens=True).input_ids[1:-1]


def test_attributes(tokenizer):
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("[PAD]", 0)
    assert tokenizer.convert_ids_to_tokens([tokenizer.cls_token_id, 10**6]) == ["[CLS]", None]
    assert tokenizer.convert_tokens_to_ids("no such token") == tokenizer.unk_token_id
    assert len(tokenizer) == tokenizer.vocab_size == len(tokenizer.get_vocab())
    assert tokenizer.is_fast and tokenizer.bos_token is None
    with pytest.raises(AttributeError):
        tokenizer.nonsense


def test_errors(tokenizer):
    for call, error in [
        (lambda: tokenizer(), ValueError),
        (lambda: tokenizer(3), ValueError),
        (lambda: tokenizer([]), IndexError),
        (lambda: tokenizer(["a"], text_pair="b"), TypeError),
        (lambda: tokenizer(["a"], text_pair=["b", "c"]), ValueError),
        (lambda: tokenizer("a", nonsense=1), TypeError),
        (lambda: tokenizer("a b c d e", max_length=5, truncation=True, stride=3, return_overflowing_tokens=True), ValueError),
        (lambda: tokenizer(["a", "a b"], return_tensors="pt"), (ValueError, ImportError)),
        (lambda: tokenizer.decode([-1]), OverflowError),
        (lambda: tokenizer.batch_encode_plus("a"), TypeError),
    ]:
        with pytest.raises(error):
            call()


def test_saved_and_pickled(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    text = "妙蛙种子 hello World"
    again = tuwen.AutoTokenizer.from_pretrained(tmp_path)
    assert again(text) == tokenizer(text)
    assert pickle.loads(pickle.dumps(tokenizer))(text) == tokenizer(text)
    cased = tuwen.BertTokenizerFast.from_pretrained(tmp_path, do_lower_case=False)
    assert cased("World") != tokenizer("World")
    batch = pickle.loads(pickle.dumps(tokenizer(text)))
    assert batch.input_ids == tokenizer(text).input_ids


def test_threads_do_not_disturb_each_other(tokenizer):
    texts = [f"hello {i} 杰尼龟" for i in range(50)]
    expected = tokenizer(texts, padding=True, return_tensors="np").input_ids
    found = [None] * 8

    def work(i):
        found[i] = tokenizer(texts, padding=True, return_tensors="np").input_ids

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(ids, expected) for ids in found)


def test_no_files(tmp_path):
    with pytest.raises(OSError, match="vocab.txt"):
        tuwen.BertTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(ValueError):
        tuwen.BertTokenizerFast()
