"""Makes the golden vectors that the tests compare with, from independent implementations.

    pip install torch transformers sentence-transformers safetensors
    python tests/golden/make.py

Run it again after the starter's weights change. It writes, beside itself:
  starter.json        token ids and digit probabilities of the starter on sample records (transformers)
  llama/              a tiny random llama with grouped heads and an untied head, and its
                      log-probabilities (transformers)
  bert/               a tiny random BERT with a WordPiece tokenizer, and its sentence embeddings
                      (sentence-transformers)
"""

import json
import pathlib
import shutil

import torch
from sentence_transformers import SentenceTransformer, models
from tokenizers import Tokenizer, models as tm, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

HERE = pathlib.Path(__file__).parent
SAMPLES = HERE.parent.parent / "sample_data"
torch.manual_seed(7)


def starter():
    model = AutoModelForCausalLM.from_pretrained(SAMPLES / "starter", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(SAMPLES / "starter")
    digits = [tokenizer.convert_tokens_to_ids(str(d)) for d in range(10)]
    cases = []
    for name in ["common", "coding", "academic"]:
        lines = (SAMPLES / f"{name}.jsonl").read_text().splitlines()
        for line in (lines[0], lines[17]):
            record = json.loads(line)
            task = record["instruction"]
            if record.get("input"):
                task += "\n\n" + record["input"]
            for response in record["responses"][:2]:
                for with_reference in (True, False):
                    text = "<|instruction|>" + task
                    if with_reference:
                        text += "<|reference|>" + record["reference"]
                    text += "<|response|>" + response["response"] + "<|rate|>"
                    ids = tokenizer(text)["input_ids"]
                    with torch.no_grad():
                        logits = model(torch.tensor([ids])).logits[0, -1].double()
                    p = torch.softmax(logits, -1)[digits]
                    cases.append(
                        {
                            "id": record["id"],
                            "response": response["id"],
                            "with_reference": with_reference,
                            "ids": ids,
                            "digits": p.tolist(),
                        }
                    )
    (HERE / "starter.json").write_text(json.dumps(cases) + "\n")


def llama():
    folder = HERE / "llama"
    config = LlamaConfig(
        vocab_size=96, hidden_size=32, intermediate_size=56, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
        rms_norm_eps=1e-5, tie_word_embeddings=False, initializer_range=0.3, rope_theta=500.0,
    )
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    cases = []
    for n in (1, 2, 17, 60):
        ids = torch.randint(0, 96, (1, n))
        with torch.no_grad():
            logits = model(ids).logits[0, -1].double()
        cases.append({"ids": ids[0].tolist(), "log_probs": torch.log_softmax(logits, -1).tolist()})
    (folder / "golden.json").write_text(json.dumps(cases) + "\n")


WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog sat on mat ran fast slow ##ly ##s ##ing and . , ! ? "
    "red blue sky rain fell down up we they saw it is was not very small big house tree"
).split()


def bert():
    folder = HERE / "bert"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    raw = Tokenizer(tm.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        pad_token="[PAD]", mask_token="[MASK]", model_max_length=24,
    )
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=40, max_position_embeddings=32, initializer_range=0.3,
    )
    BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24}) + "\n")
    word = models.Transformer(str(folder), max_seq_length=24)
    pooling = models.Pooling(word.get_word_embedding_dimension(), pooling_mode="mean")
    sentence = SentenceTransformer(modules=[word, pooling, models.Normalize()], device="cpu")
    texts = [
        "The cat sat on the mat.",
        "A dog ran fast, not slowly!",
        "rain",
        "We saw the big red house and they saw it. It was very small. " * 4,
    ]
    cases = [
        {"text": text, "embedding": vector.tolist()}
        for text, vector in zip(texts, sentence.encode(texts, batch_size=1))
    ]
    (folder / "golden.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    llama()
    bert()
    starter()
