"""Chinese. Each character is a token of its own, so that phrases are found wherever they stand."""

from fastadasp.tasks.reading.words.vocabulary import Cue, Vocabulary

CHINESE = Vocabulary(
    phrases={
        Cue.negate: """
            不, 不是, 没, 没有, 并不, 并不是, 并没有, 并非, 非, 绝非, 绝不, 而非, 而不是, 既不, 也不, 毫无, 无,
            不再, 从不, 未""",
        Cue.reject: "错, 错误, 错的, 不对, 不正确, 排除, 不符合, 不可能",
        Cue.verdict: "答案, 正确, 正确答案, 正确的, 对, 对的, 符合, 回答, 情绪, 更可能, 更有可能, 最可能, 最有可能",
        Cue.choose: "选, 选择, 应选, 应该选, 我选, 应为, 应该是",
        Cue.final: "最终答案, 最后答案",
        Cue.conclude: "所以, 因此, 因而, 综上, 综上所述",
        Cue.retract: "等等, 等一下, 不对不对, 更正, 其实, 实际上, 我错了, 抱歉, 更准确地说",
        Cue.former: "一开始, 起初, 原本, 本来",
        Cue.because: "因为, 由于, 理由是",
        Cue.explain: "解释, 解析, 理由 :, 分析 :, 说明 :",
        Cue.concede: "虽然, 尽管, 虽说, 即使",
        Cue.contrast: "而是, 但是, 但, 不过, 可是, 然而, 却",
        Cue.uncertain: "不确定, 不清楚, 不知道, 无法判断, 无法确定, 难以判断, 很难说, 是否",
        Cue.possible: "可能, 也许, 或许, 大概是, 要么",
        Cue.probable: "我觉得, 我认为, 很可能, 应该, 大概, 主要",
        Cue.minor: "有点, 有些, 略带, 一丝",
        Cue.than: "比",
        Cue.say: "说 :, 说道, 提到, 说的是, 内容",
        Cue.condition: "如果, 好像",
        Cue.letter: "选项, 项",
        Cue.options: "选项 :, 选项是, 选项有, 其中之一",
        Cue.idiom: "毫无疑问, 无疑, 不仅, 不仅仅, 不但, 不只, 很高兴为您, 很高兴为你, 很乐意, 对不起",
        Cue.yes: "是的",
        Cue.conjunction: "和, 与, 以及, 、",
        Cue.disjunction: "或, 或者, 或是, 还是",
    },
    yes="是的",
    no="否 不是 不是的",
    copulas="是 的 都 也 这 个 项 选 显 然 为 就 才 最",
    verbs="是",
    links="我 他 她 它 们 的 这 那 个 是 应 该",
    first_person="我 我们",
    self="很 非 常 也 不",
)
