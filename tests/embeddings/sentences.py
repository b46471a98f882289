"""Sentences in ten languages, and texts made of them, for tests of tokenizers and encoders."""

import random
import unicodedata

SENTENCES = {
    "en": [
        "The ferry leaves at 7:45 every morning, except on public holidays.",
        "Keep the receipt: without it, the guarantee (24 months) is void.",
        "Who would have thought that moss grows on the north side of a lighthouse?",
        "In 1987 the two villages agreed to share one well, one baker and one doctor.",
        "“Never again,” she wrote — and then she did it again.",
    ],
    "zh": [
        "渡轮每天早上七点四十五分出发，公共假日除外。",
        "请保留收据，没有收据的话，两年的保修将失效。",
        "谁能想到灯塔的北面会长满青苔呢？",
        "1987年，两个村庄同意共用一口井、一位面包师和一位医生。",
        "本手册适用于 ZX-300 型水泵，额定功率为 2.5 kW。",
    ],
    "ja": [
        "フェリーは祝日を除いて毎朝七時四十五分に出発します。",
        "領収書は必ず保管してください。ない場合、保証は無効になります。",
        "灯台の北側に苔が生えるなんて、誰が想像したでしょうか。",
        "1987年、二つの村は一つの井戸を共同で使うことに決めた。",
        "この説明書はＺＸ－３００型ポンプ用です。",
    ],
    "ko": [
        "여객선은 공휴일을 제외하고 매일 아침 7시 45분에 출발합니다.",
        "영수증을 보관하십시오. 영수증이 없으면 보증이 무효가 됩니다.",
        "등대 북쪽에 이끼가 자랄 줄 누가 알았겠습니까?",
        "1987년에 두 마을은 우물 하나를 함께 쓰기로 합의했다.",
        "이 설명서는 ZX-300 펌프용입니다.",
    ],
    "de": [
        "Die Fähre fährt täglich um 7.45 Uhr ab, außer an Feiertagen.",
        "Bewahren Sie die Quittung auf: Ohne sie erlischt die Gewährleistung (24 Monate).",
        "Wer hätte gedacht, dass an der Nordseite des Leuchtturms Moos wächst?",
        "1987 einigten sich die beiden Dörfer darauf, sich einen Brunnen zu teilen.",
        "Die Donaudampfschifffahrtsgesellschaft übernimmt keine Haftung für Größenabweichungen.",
    ],
    "es": [
        "El transbordador sale todos los días a las 7:45, salvo los festivos.",
        "Guarde el recibo: sin él, la garantía (24 meses) queda anulada.",
        "¿Quién habría pensado que crecería musgo en el lado norte del faro?",
        "En 1987 los dos pueblos acordaron compartir un pozo, un panadero y un médico.",
        "¡Qué extraño! El año pasado no había ni una cigüeña aquí.",
    ],
    "ru": [
        "Паром отправляется ежедневно в 7:45, кроме праздничных дней.",
        "Сохраните чек: без него гарантия (24 месяца) недействительна.",
        "Кто бы мог подумать, что на северной стороне маяка вырастет мох?",
        "В 1987 году две деревни договорились пользоваться одним колодцем.",
        "Ёжик всё ещё живёт под крыльцом — №5 по Садовой улице.",
    ],
    "ar": [
        "تغادر العبّارة كل صباح في الساعة ٧:٤٥ ما عدا أيام العطل الرسمية.",
        "احتفظ بالإيصال، فبدونه يصبح الضمان لاغيًا.",
        "من كان يظن أن الطحالب تنمو على الجانب الشمالي من المنارة؟",
        "في عام 1987 اتفقت القريتان على تقاسم بئر واحدة وخبّاز واحد وطبيب واحد.",
        "هذا الدليل خاص بالمضخة من طراز ZX-300.",
    ],
    "th": [
        "เรือข้ามฟากออกทุกเช้าเวลา 7.45 น. ยกเว้นวันหยุดราชการ",
        "โปรดเก็บใบเสร็จไว้ หากไม่มีใบเสร็จ การรับประกันจะถือเป็นโมฆะ",
        "ใครจะคิดว่ามอสจะขึ้นทางด้านเหนือของประภาคาร",
        "ในปี พ.ศ. 2530 หมู่บ้านทั้งสองตกลงใช้บ่อน้ำร่วมกัน",
        "น้ำที่นี่เย็นและใสมาก ทำให้ผู้คนเดินทางมาจากที่ไกล",
    ],
    "hi": [
        "नाव हर सुबह 7:45 बजे चलती है, सार्वजनिक छुट्टियों को छोड़कर।",
        "रसीद संभाल कर रखें, उसके बिना दो साल की गारंटी मान्य नहीं होगी।",
        "किसने सोचा था कि प्रकाशस्तंभ की उत्तरी दीवार पर काई उगेगी?",
        "सन् 1987 में दोनों गाँवों ने एक ही कुआँ इस्तेमाल करने का फ़ैसला किया।",
        "यह पुस्तिका ZX-300 पंप के लिए है।",
    ],
}


def texts(count: int, *, seed: int = 1) -> list[str]:
    """`count` different NFC texts, as many in each language, most of them short and none over 500 tokens."""
    chance = random.Random(seed)
    languages = sorted(SENTENCES)
    found: dict[str, None] = {}
    while len(found) < count:
        chosen = SENTENCES[languages[len(found) % len(languages)]]
        length = min(12, 1 + int(chance.expovariate(0.6)))
        joined = chance.choice([" ", "\n", "  "]).join(chance.choice(chosen) for _ in range(length))
        found[unicodedata.normalize("NFC", joined)] = None
    return list(found)
