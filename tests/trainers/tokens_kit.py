"""A tokenizer that is made here, of whole words: nothing is fetched."""

import re

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END = "<|im_end|>"
_WORD = r"<\|\w+\|>|\s+|\w+|[^\w\s]"


def make_tokenizer(*texts):
    """A tokenizer that encodes these texts, and decodes them as they were; `END` ends a text and is special."""
    words = dict.fromkeys(["[UNK]", END, *(word for text in texts for word in re.findall(_WORD, text))])
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token=END, pad_token=END)
