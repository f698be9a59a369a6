"""The word lists of overlap: general and medical English, written by hand, fitted on nothing.

Words are given as written; stems are made at import. A word belongs here only where a reader of any medical text would
expect it: the lists know no data set.
"""

from snowballstemmer.english_stemmer import EnglishStemmer


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
    steroid corticosteroid glucocorticoid; lump mass nodule; ultrasound sonogram ultrasonography;
    xray radiograph; scan imaging; screen screening; blocker inhibitor; hormone hormonal;
    joint articular; head cranial; chest thoracic thorax; foot feet; sleep sleeping asleep;
    eat eating diet dietary food; exercise workout; sex sexual intercourse; feel feeling felt;
    speak spoke spoken; wife wives; marry marriage wedding; choose choice chose; think thought;
    grow growth; lose loss lost; safe safely safety; danger dangerous; cure curable;
    physician doctor clinician practitioner; medicine medication drug medicament; kidney renal nephric;
    liver hepatic; heart cardiac myocardial; lung pulmonary; brain cerebral; stomach gastric tummy;
    belly abdomen abdominal; skin cutaneous dermal; eye ocular; mouth oral; bone osseous;
    child children kid paediatric pediatric; infant baby newborn neonate; woman women female;
    man men male; mother maternal mum mom; death die died dead mortality fatal; kill killed murder;
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
    vaccinate vaccination vaccine; obese obesity; diabetes diabetic; dose dosage dosing; tablet pill;
    ill illness sick sickness disease disorder; harm harmful damage;
    increase raise rise risen rose elevate elevation;
    decrease reduce reduction lower decline diminish lessen;
    start begin began begun initiate commence onset; stop cease discontinue quit; avoid refrain;
    assist aid help; occur happen; require need necessary; buy purchase bought; big large huge;
    small little tiny; quick quickly rapid rapidly fast; car vehicle; job occupation employment;
    police officer; injure injury injured wound; show demonstrate reveal;
    say said tell told state claim; examine examination exam; severe severity serious seriously;
    mild slight; adult grown; elderly older aged; throat pharynx pharyngeal;
    bowel intestine intestinal gut; bladder vesical; thyroid thyroidal; bloodstream circulation;
    urine urinate urination urinary; feces faeces stool; period menstruation menstrual menses;
    menopause menopausal; contraception contraceptive; genital genitals; abort abortion;
    miscarriage miscarry; breastfeed breastfeeding lactation;
    breath breathe breathing respiration respiratory; wheeze wheezing; sneeze sneezing; numb numbness;
    weak weakness; seizure convulsion; faint fainting syncope; headache cephalalgia; migraine migraines;
    stroke cerebrovascular; bruise bruising ecchymosis; hives urticaria; pimple acne; wart verruca;
    redness erythema red; contagious communicable; transmit transmission spread;
    swallow swallowing dysphagia; indigestion dyspepsia; heartburn reflux; constipation constipated;
    nausea nauseous nauseated; appetite hunger hungry; hydrate hydration fluid; dehydrate dehydration;
    smoke smoking smoker tobacco; alcohol drinking; antibiotic antibacterial antimicrobial;
    bacteria bacterium bacterial; virus viral; fungus fungal; parasite parasitic; vitamin supplement;
    mental psychiatric psychological; worry stress; aggressive aggression; suicide suicidal;
    dementia alzheimer; tylenol acetaminophen paracetamol; advil motrin ibuprofen; aleve naproxen;
    lexapro escitalopram; zoloft sertraline; prozac fluoxetine; xanax alprazolam; valium diazepam;
    lipitor atorvastatin; viagra sildenafil; benadryl diphenhydramine; synthroid levothyroxine;
    glucophage metformin; coumadin warfarin; epinephrine adrenaline;
    hereditary inherit inherited genetic; heal healing recover recovery; relieve relief alleviate ease;
    manage management control; monitor monitoring; combine combination; lifelong lifetime;
    worsen worsening aggravate exacerbate exacerbation; improve improvement;
    immediately urgent urgently promptly emergency; consult contact; microgram mcg µg; milligram mg;
    gram g; kilogram kg; milliliter millilitre ml; liter litre l; millimeter millimetre mm;
    centimeter centimetre cm; percent percentage %; hour hr hrs; minute min; day daily; week weekly;
    month monthly; year yearly annual annually yr
"""

SAME_WORD = {
    stem: stems[0] for stems in map(stems_of, _SAME_WORDS.split(";")) for stem in stems[1:] if stem != stems[0]
}

# Commonplace words, which carry little of a claim: each weighs `Parameters.light_weight`.
_COMMONPLACE = """
    ability able above accept access accord account achieve act action active activity actual add addition
    address adult advice advise affect age agree allow alone along already amount another answer apart appear
    approach area around arrive ask aspect associated attempt attention available average aware away bad
    balance base basic basis bear become behavior believe benefit best better big bit body bring build call
    care carry case cause center certain chance change character child children choice choose claim class
    clear clinic clinical close collect combination come common commonly compare complete concern conclude
    condition confirm connect consider consist contact contain continue control correct count country couple
    course cover create current cut daily date day deal decide decision decrease deep define degree depend
    describe design despite detail determine develop development difference different direct directly discover
    discuss discussion disease disorder doctor drug due early easily easy effect effective effort element end
    enough ensure entire environment especially essential establish estimate eventually evidence exact example
    exist expect experience explain express extend extent extra face fact factor fall family far feature feel
    few field figure final finally find fit focus follow form former found free frequent frequently full
    function further future gain general generally get give given go goal good great group grow guide hand
    happen hard health healthcare healthy help hold hope hospital hour human idea identify illness immediately
    impact imply important improve include including increase indicate individual information initial inside
    instance intend interest introduce involve issue itself job join keep kind know known lack large last late
    later lead learn least leave less level lie life likely limit line list listen little live local long look
    lose lot low made main maintain major make man manage manner many matter maximum mean measure medical
    medication medicine meet member mention method middle minimum minor miss moderate moment month move
    multiple name natural nature near necessary need new next normal note nothing notice number observe obtain
    occur offer often old open opportunity option order original outcome outside overall part particular pass
    past patient pattern pay people perform perhaps period person personal physician piece place plan play
    plenty point position possible potential power practice prefer prepare presence present pressure prevent
    previous primary prior probably problem process produce product professional program project proper
    properly protect prove provide purpose put quality question range rapid rate reach reaction read ready
    real realize reason receive recent recently recommend recommended record reduce refer regular relate
    related relation relationship release rely remain remember remove repeat report represent require research
    respond response rest result return right risk role room run safe said sample save say second section see
    seek seem select send sense separate serious serve service set several severe shape share short show side
    sign significant similar simple simply single situation size slow small social sort source speak special
    specific stage stand standard start state step still stop stress strong structure study subject success
    successful suffer suggest suitable sum support suppose sure surround suspect symptom syndrome system table
    take talk team tell tend term test therapy thing think thought time together top total towards treat
    treatment trial trouble true try turn type typically understand unit unless use used useful usual usually
    value variety various view visit wait walk want watch way weak week well whole wide wish woman wonder word
    work world worry write wrong year young
"""

LIGHT_WORDS = frozenset(SAME_WORD.get(stem, stem) for stem in stems_of(_COMMONPLACE))

# Abbreviations and compounds, and the words that each stands for.
_EXPANSIONS = """
    immunization: vaccine; immunisation: vaccine; anticoagulant: blood thinner;
    nephrolithiasis: kidney stone; cholelithiasis: gallstone; infarction: attack;
    rhinorrhea: runny nose; pharyngitis: sore throat; alopecia: hair loss;
    hyperthyroidism: overactive thyroid; hypothyroidism: underactive thyroid;
    hyperlipidemia: high cholesterol; hyperkalemia: high potassium; hypokalemia: low potassium;
    hypernatremia: high sodium; hyponatremia: low sodium; leukocyte: white blood cell;
    erythrocyte: red blood cell; thrombocyte: platelet; cystitis: bladder infection;
    neuropathy: nerve damage; arrhythmia: irregular heartbeat; hematuria: blood urine;
    dysuria: painful urination; epistaxis: nosebleed; polyuria: frequent urination;
    polydipsia: excessive thirst; hemoptysis: coughing blood; otalgia: ear pain; myalgia: muscle pain;
    arthralgia: joint pain; nephropathy: kidney damage; enuresis: bed wetting;
    dysmenorrhea: painful menstruation; cardiomegaly: enlarged heart; hepatomegaly: enlarged liver;
    splenomegaly: enlarged spleen; pneumonitis: lung inflammation; encephalitis: brain inflammation;
    hepatitis: liver inflammation; nephritis: kidney inflammation; gastritis: stomach inflammation;
    dermatitis: skin inflammation; arthritis: joint inflammation; hypertension: high blood pressure;
    hypotension: low blood pressure; hyperglycemia: high blood sugar; hypoglycemia: low blood sugar;
    tachycardia: fast heart rate; bradycardia: slow heart rate; dyspnea: shortness breath;
    dyspnoea: shortness breath; ent: ear nose throat; mri: magnetic resonance imaging;
    ct: computed tomography; ecg: electrocardiogram; ekg: electrocardiogram;
    uti: urinary tract infection; utis: urinary tract infection;
    copd: chronic obstructive pulmonary disease; ckd: chronic kidney disease; mi: heart infarction;
    dvt: deep vein thrombosis; pe: pulmonary embolism; gerd: gastroesophageal reflux disease;
    ibs: irritable bowel syndrome; ibd: inflammatory bowel disease; std: sexually transmitted disease;
    stds: sexually transmitted disease; sti: sexually transmitted infection;
    stis: sexually transmitted infection; hiv: human immunodeficiency virus;
    nsaid: nonsteroidal anti inflammatory drug; nsaids: nonsteroidal anti inflammatory drug;
    ssri: selective serotonin reuptake inhibitor; ssris: selective serotonin reuptake inhibitor;
    bmi: body mass index; bp: blood pressure; csf: cerebrospinal fluid; cns: central nervous system;
    icu: intensive care unit; er: emergency; iv: intravenous; im: intramuscular;
    adhd: attention deficit hyperactivity disorder; ptsd: post traumatic stress disorder;
    ocd: obsessive compulsive disorder; tb: tuberculosis; fda: food drug administration;
    otc: over counter; hpv: human papillomavirus; hsv: herpes simplex virus;
    rsv: respiratory syncytial virus; ecmo: extracorporeal membrane oxygenation; uk: united kingdom;
    usa: united states
"""

EXPANSIONS = {name.strip(): words for name, words in (entry.split(":") for entry in _EXPANSIONS.split(";"))}

# Words whose full stop ends no sentence.
TITLES = words_of("dr. mr. mrs. ms. prof. st. e.g. i.e. vs. approx. fig. no. al. etc. cf.")
