"""Shows that peft loads an adapter, and what the model then computes.

    pip install torch transformers peft
    python tests/golden/training_adapter_check.py BASE ADAPTER ID…

BASE is a model's folder, ADAPTER one that Juror wrote (adapter_config.json, adapter_model.safetensors), and each ID a
token. It writes nothing, and prints as JSON the logits after the last token, with the adapter and without. It stops if
the adapter's tensors are not just those that peft expects: peft itself only warns.
"""

import json
import pathlib
import sys

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)


def shapes(tensors):
    return {name: list(x.shape) for name, x in tensors.items()}


def load(base, adapter):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    model = PeftModel.from_pretrained(model, adapter).eval()
    expected = shapes(get_peft_model_state_dict(model))
    written = shapes(load_file(pathlib.Path(adapter) / "adapter_model.safetensors"))
    for name in sorted({*expected, *written}):
        if expected.get(name) != written.get(name):
            sys.exit(f"{name}: peft expects {expected.get(name)}, the file has {written.get(name)}")
    return model


def last_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0, -1].tolist()


def main(base, adapter, *ids):
    model, ids = load(base, adapter), [int(i) for i in ids]
    with_adapter = last_logits(model, ids)
    with model.disable_adapter():
        without = last_logits(model, ids)
    print(json.dumps({"ids": ids, "logits": with_adapter, "logits_without": without}))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
