"""The word lists of overlap: general and medical English, written by hand, fitted on nothing.

Words are given as written; stems are made at import. A word belongs here only where a reader of any medical text would
expect it: the lists know no data set.
"""

from snowballstemmer.english_stemmer import EnglishStemmer  # type: ignore[import-untyped]


def stems_of(words: str) -> tuple[str, ...]:
    """Return the stems of the words of a list, in order."""
    return tuple(map(EnglishStemmer().stemWord, words.split()))


def words_of(block: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(block.split())


STOP_WORDS = words_of("""
    a about after again all also although am an and any are as at be became because been before being both but
    by can could did do does doing done down during each either else etc even ever every for from further had
    has have having he her here hers herself him himself his how however i if in instead into is it its itself
    just let like may me might more most much must my myself of off on once one's only onto or other others
    our ours out over own per quite rather s same shall she should since so some such t than that the their
    theirs them themselves then there therefore these they this those though through thus to too under until
    up upon us very via was we were what when where whether which while who whom whose why will with within
    would yet you your yours yourself no not nor never without none cannot can't don't doesn't didn't isn't
    aren't wasn't weren't won't wouldn't shouldn't couldn't hasn't haven't it's that's there's
""")

# Words that carry little of a claim: each weighs `Parameters.light_weight`.
LIGHT_WORDS = frozenset(
    stems_of("""
    able advise allow appear associated become best call case cause certain change claim come common commonly
    condition consider contain different difference due effect example find found general generally get give
    given go good happen help important include including indicate individual involve keep know known lead
    level likely look made main major make many mean month need new normal note number obtain occur often
    option order part particular patient people perform person place possible potential present prevent
    problem provide reason receive recommend recommended reduce refer regular related report require result
    risk said say see seek seem several show sign significant similar specific start state still suggest
    suspect take talk tell thing think time try type typically usual usually use used useful variety various
    want way week well work year body care clinic clinical disease disorder doctor drug health healthcare
    healthy hospital illness medical medication medicine physician professional reaction study symptom
    syndrome test therapy treat treatment trial
""")
)

_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve"

NUMBER_WORDS = {word: str(value) for value, word in enumerate(_COUNTED.split())} | {
    "once": "1",
    "twice": "2",
    "first": "1st",
    "second": "2nd",
    "third": "3rd",
    "dozen": "12",
    "half": "0.5",
}

# Groups of words that count as the first of them; a drug's trade name stands beside its own.
_SAME_WORDS = """
    flu influenza; shot jab injection inject; sore soreness; painkiller analgesic; specialist expert;
    yeast candida candidiasis thrush; chickenpox varicella; shingles zoster; conjunctivitis pinkeye;
    steroid corticosteroid glucocorticoid; lump mass nodule; ultrasound sonogram ultrasonography; xray radiograph;
    scan imaging; screen screening; blocker inhibitor; hormone hormonal; joint articular;
    head cranial; chest thoracic thorax; foot feet;
    sleep sleeping asleep; eat eating diet dietary food; exercise workout; sex sexual intercourse;
    feel feeling felt; speak spoke spoken; wife wives; marry marriage wedding; choose choice chose;
    think thought; grow growth; lose loss lost; safe safely safety; danger dangerous; cure curable;
    physician doctor clinician practitioner; medicine medication drug medicament; kidney renal nephric;
    liver hepatic; heart cardiac myocardial; lung pulmonary; brain cerebral; stomach gastric tummy;
    belly abdomen abdominal; skin cutaneous dermal; eye ocular; mouth oral; bone osseous;
    child children kid paediatric pediatric; infant baby newborn neonate; woman women female; man men male;
    mother maternal mum mom; death die died dead mortality fatal; kill killed murder;
    pregnancy pregnant gestation; sugar glucose; glycemia glycaemia; fever pyrexia febrile;
    itch itching pruritus; rash exanthem; swelling swollen edema oedema; vomit vomiting emesis;
    diarrhea diarrhoea; bleed bleeding hemorrhage haemorrhage; clot thrombus thrombosis;
    tumor tumour neoplasm; cancer carcinoma malignancy; fracture break broken; anemia anaemia;
    fetus foetus fetal foetal; estrogen oestrogen; vein venous; artery arterial; nerve neural;
    muscle muscular; tooth teeth dental; ache pain painful; tired tiredness fatigue exhaustion;
    dizzy dizziness lightheaded lightheadedness; sleepy sleepiness drowsy drowsiness somnolence;
    sleeplessness insomnia; anxiety anxious; depression depressive depressed; allergy allergic;
    toxic toxicity poisonous; operation surgery surgical; treat treatment therapy therapeutic;
    diagnose diagnosis diagnostic; prescribe prescription; symptom symptomatic;
    infect infection infectious infective; inflame inflammation inflammatory;
    vaccinate vaccination vaccine; obese obesity;
    diabetes diabetic; dose dosage dosing; tablet pill; ill illness sick sickness disease disorder;
    harm harmful damage; increase raise rise risen rose elevate elevation;
    decrease reduce reduction lower decline diminish lessen; start begin began begun initiate commence onset;
    stop cease discontinue quit; avoid refrain; assist aid help; occur happen; require need necessary;
    buy purchase bought; big large huge; small little tiny; quick quickly rapid rapidly fast; car vehicle;
    job occupation employment; police officer; injure injury injured wound; show demonstrate reveal;
    say said tell told state claim; examine examination exam; severe severity serious seriously; mild slight;
    adult grown; elderly older aged; throat pharynx pharyngeal; bowel intestine intestinal gut;
    bladder vesical; thyroid thyroidal; bloodstream circulation; urine urinate urination urinary;
    feces faeces stool; period menstruation menstrual menses; menopause menopausal;
    contraception contraceptive; genital genitals; abort abortion; miscarriage miscarry;
    breastfeed breastfeeding lactation; breath breathe breathing respiration respiratory; wheeze wheezing;
    sneeze sneezing; numb numbness; weak weakness; seizure convulsion; faint fainting syncope;
    headache cephalalgia; migraine migraines; stroke cerebrovascular; bruise bruising ecchymosis;
    hives urticaria; pimple acne; wart verruca; redness erythema red; contagious communicable;
    transmit transmission spread; swallow swallowing dysphagia; indigestion dyspepsia; heartburn reflux;
    constipation constipated; nausea nauseous nauseated; appetite hunger hungry; hydrate hydration fluid;
    dehydrate dehydration; smoke smoking smoker tobacco; alcohol drinking;
    antibiotic antibacterial antimicrobial; bacteria bacterium bacterial; virus viral; fungus fungal;
    parasite parasitic; vitamin supplement; mental psychiatric psychological; worry stress;
    aggressive aggression; suicide suicidal; dementia alzheimer; tylenol acetaminophen paracetamol;
    advil motrin ibuprofen; aleve naproxen; lexapro escitalopram; zoloft sertraline; prozac fluoxetine;
    xanax alprazolam; valium diazepam; lipitor atorvastatin; viagra sildenafil; benadryl diphenhydramine;
    synthroid levothyroxine; glucophage metformin; coumadin warfarin; epinephrine adrenaline;
    hereditary inherit inherited genetic; heal healing recover recovery; relieve relief alleviate ease;
    manage management control; monitor monitoring; combine combination; lifelong lifetime;
    worsen worsening aggravate exacerbate exacerbation; improve improvement;
    immediately urgent urgently promptly emergency; consult contact; microgram mcg µg; milligram mg; gram g;
    kilogram kg; milliliter millilitre ml; liter litre l; millimeter millimetre mm; centimeter centimetre cm;
    percent percentage %; hour hr hrs; minute min; day daily; week weekly; month monthly;
    year yearly annual annually yr
"""

SAME_WORD = {
    stem: stems[0] for stems in map(stems_of, _SAME_WORDS.split(";")) for stem in stems[1:] if stem != stems[0]
}

# Abbreviations and compounds, and the words that each stands for.
_EXPANSIONS = """
    immunization: vaccine; immunisation: vaccine; anticoagulant: blood thinner; nephrolithiasis: kidney stone; cholelithiasis: gallstone; infarction: attack;
    rhinorrhea: runny nose; pharyngitis: sore throat; alopecia: hair loss; hyperthyroidism: overactive thyroid;
    hypothyroidism: underactive thyroid; hyperlipidemia: high cholesterol; hyperkalemia: high potassium;
    hypokalemia: low potassium; hypernatremia: high sodium; hyponatremia: low sodium; leukocyte: white blood cell;
    erythrocyte: red blood cell; thrombocyte: platelet; cystitis: bladder infection; neuropathy: nerve damage;
    arrhythmia: irregular heartbeat; hematuria: blood urine; dysuria: painful urination; epistaxis: nosebleed;
    polyuria: frequent urination; polydipsia: excessive thirst; hemoptysis: coughing blood; otalgia: ear pain;
    myalgia: muscle pain; arthralgia: joint pain; nephropathy: kidney damage; enuresis: bed wetting;
    dysmenorrhea: painful menstruation; cardiomegaly: enlarged heart; hepatomegaly: enlarged liver;
    splenomegaly: enlarged spleen; pneumonitis: lung inflammation; encephalitis: brain inflammation;
    hepatitis: liver inflammation; nephritis: kidney inflammation; gastritis: stomach inflammation;
    dermatitis: skin inflammation; arthritis: joint inflammation;
    hypertension: high blood pressure; hypotension: low blood pressure; hyperglycemia: high blood sugar;
    hypoglycemia: low blood sugar; tachycardia: fast heart rate; bradycardia: slow heart rate;
    dyspnea: shortness breath; dyspnoea: shortness breath; ent: ear nose throat;
    mri: magnetic resonance imaging; ct: computed tomography; ecg: electrocardiogram; ekg: electrocardiogram;
    uti: urinary tract infection; utis: urinary tract infection; copd: chronic obstructive pulmonary disease;
    ckd: chronic kidney disease; mi: heart infarction; dvt: deep vein thrombosis; pe: pulmonary embolism;
    gerd: gastroesophageal reflux disease; ibs: irritable bowel syndrome; ibd: inflammatory bowel disease;
    std: sexually transmitted disease; stds: sexually transmitted disease;
    sti: sexually transmitted infection; stis: sexually transmitted infection;
    hiv: human immunodeficiency virus; nsaid: nonsteroidal anti inflammatory drug;
    nsaids: nonsteroidal anti inflammatory drug; ssri: selective serotonin reuptake inhibitor;
    ssris: selective serotonin reuptake inhibitor; bmi: body mass index; bp: blood pressure;
    csf: cerebrospinal fluid; cns: central nervous system; icu: intensive care unit; er: emergency;
    iv: intravenous; im: intramuscular; adhd: attention deficit hyperactivity disorder;
    ptsd: post traumatic stress disorder; ocd: obsessive compulsive disorder; tb: tuberculosis;
    fda: food drug administration; otc: over counter; hpv: human papillomavirus; hsv: herpes simplex virus;
    rsv: respiratory syncytial virus; ecmo: extracorporeal membrane oxygenation; uk: united kingdom;
    usa: united states
"""

EXPANSIONS = {name.strip(): words for name, words in (entry.split(":") for entry in _EXPANSIONS.split(";"))}

# Words whose full stop ends no sentence.
TITLES = words_of("dr. mr. mrs. ms. prof. st. e.g. i.e. vs. approx. fig. no. al. etc. cf.")
