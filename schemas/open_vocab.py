"""The open vocabularies: lists of known words, each with its source. An unknown word gives a remark, never a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from schemas.vocab import word_set


class OpenVocabulary(NamedTuple):
    """One open vocabulary."""

    name: str
    values: frozenset[str]
    source: str


def _words(name: str, source: str, words: str) -> OpenVocabulary:
    return OpenVocabulary(name, word_set(words), source)


_OWN = "tocsin"

OPEN: Mapping[str, OpenVocabulary] = MappingProxyType(
    {
        each.name: each
        for each in (
            _words(
                "authority-kind",
                _OWN,
                "dsc ec-digital ads-authority csirt nis-authority dpa emb election-network ecne party-finance-authority "
                "media-regulator fimi-watchdog foreign-service sanctions-authority prosecutor police government-comms intl-partner "
                "observer platform trusted-flagger fact-checker media civil-society researcher educator election-vendor "
                "financial-institution registrar data-controller hub "
                "financial-intelligence-unit telecom-regulator court electoral-court cyber-crisis-authority",
            ),
            _words(
                "area-scope",
                _OWN,
                "country region municipality constituency polling-place eu abroad international online",
            ),
            _words(
                "likelihood",
                "ICD 203",
                "almost-no-chance very-unlikely unlikely roughly-even-chance likely very-likely almost-certain",
            ),
            _words(
                "observable-type",
                "STIX 2.1 cyber-observable objects, OpenCTI extensions, tocsin",
                "artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr ipv6-addr mac-addr mutex "
                "network-traffic process software url user-account windows-registry-key x509-certificate channel media-content text "
                "hashtag image-phash ad-id crypto-wallet phone-number bank-account "
                "analytics-id sms-sender voice-hash advertiser-account",
            ),
            _words(
                "observable-role",
                _OWN,
                "infrastructure source impersonating-site impersonated publisher amplifier content payment victim victim-canary",
            ),
            _words(
                "actor-kind",
                _OWN,
                "state state-body proxy contractor media-outlet hacktivist criminal-group mercenary-group political-party influencer "
                "individual unknown",
            ),
            _words(
                "target-kind",
                _OWN,
                "electorate candidate party elected-official emb voter-register election-infrastructure results-portal media-outlet "
                "journalist fact-checker platform minority-group diaspora government eu-institution international-organisation "
                "civil-society other",
            ),
            _words(
                "state-responsibility",
                "MISP taxonomy state-responsibility",
                "state-prohibited state-prohibited-but-inadequate state-ignored state-encouraged state-shaped state-coordinated "
                "state-ordered state-rogue-conducted state-executed state-integrated",
            ),
            _words(
                "action-kind",
                "CAP 1.2 responseType, refined by tocsin",
                "monitor verify preserve-evidence share-upward escalate-csirts-network escalate-ras escalate-g7-rrm "
                "activate-crisis-protocol activate-ipcr pre-bunk debunk voter-information strategic-communication holding-line "
                "strategic-silence public-attribution label-or-contextualise notify-platform request-takedown-order "
                "request-account-measure order-information suspend-broadcast mitigate-technical patch rotate-credentials "
                "notify-affected block-indicator block-access-order legal-referral criminal-referral sanctions-proposal "
                "asset-freeze-check diplomatic-demarche media-literacy exercise all-clear "
                "escalate-eu-cyclone escalate-ecne request-cyber-reserve suspend-domain block-sender stop-advertising lift-measure "
                "do-not-remove reprint prolong-voting call-back issue-keys",
            ),
            _words(
                "notice-channel",
                "Regulation (EU) 2022/2065, Articles 16 and 22",
                "art16-notice art22-trusted-flagger rapid-response-system voluntary-cooperation",
            ),
            _words(
                "notice-outcome",
                "practice of rapid response systems, 2024",
                "removed partly-removed account-banned labelled labelled-and-other demoted no-violation not-addressed pending keep",
            ),
            _words("order-effect", _OWN, "given partly-given not-given contested impossible"),
            _words(
                "feedback-outcome",
                "notice-outcome of what a notice asked, order-effect of what an order asked",
                "removed partly-removed account-banned labelled labelled-and-other demoted no-violation not-addressed pending keep "
                "given partly-given not-given contested impossible",
            ),
            _words(
                "dsa-category",
                "DSA Transparency Database",
                "animal-welfare consumer-information cyber-violence cyber-violence-against-women "
                "data-protection-and-privacy-violations illegal-or-harmful-speech intellectual-property-infringements "
                "negative-effects-on-civic-discourse-or-elections not-specified-notice other-violation-tc protection-of-minors "
                "risk-for-public-security scams-and-fraud self-harm unsafe-and-prohibited-products violence",
            ),
            _words(
                "dsa-keyword",
                "DSA Transparency Database, those that touch elections",
                "misinformation-disinformation violation-eu-law violation-national-law impersonation-account-hijacking "
                "inauthentic-accounts coordinated-harm female-gendered-disinformation hidden-advertisement data-falsification "
                "defamation hate-speech incitement-violence-hatred illegal-organizations cyber-harassment phishing "
                "biometric-data-breach missing-processing-ground other",
            ),
            _words(
                "dsa-content-type",
                "DSA Transparency Database",
                "app audio image product synthetic-media text video other",
            ),
            _words(
                "dsa-source",
                "DSA Transparency Database",
                "article-16 trusted-flagger voluntary type-other-notification",
            ),
            _words(
                "dsa-systemic-risk",
                "Regulation (EU) 2022/2065, Article 34",
                "illegal-content fundamental-rights civic-discourse electoral-processes public-security public-health minors "
                "gender-based-violence well-being",
            ),
            _words(
                "dsa-mitigation",
                "Guidelines C/2024/3014",
                "internal-election-team official-information media-literacy recommender-adaptation demonetisation political-ad-label "
                "genai-label authority-cooperation fact-checker-cooperation incident-response-mechanism post-election-review",
            ),
            _words("synthetic", _OWN, "none suspected confirmed labelled"),
            _words(
                "ttpa-infringement",
                "Regulation (EU) 2024/900",
                "no-label no-transparency-notice sponsor-hidden payer-hidden third-country-sponsor funds-origin-hidden "
                "no-consent-targeting special-category-profiling minor-targeting repository-missing notice-channel-missing",
            ),
            _words(
                "election-asset",
                "NIS Cooperation Group compendium on election technology, extended",
                "voter-register candidate-register pollbook voting-device internet-voting postal-system tabulation transmission "
                "results-portal emb-website emb-mail party-it candidate-account media-results-desk election-supplier id-scheme "
                "ads-repository",
            ),
            _words(
                "root-cause",
                "MISP taxonomy nis2",
                "system-failures natural-phenomena human-errors malicious-actions third-party-failures",
            ),
            _words(
                "csaf",
                "CSAF 2.0 product status",
                "first-affected first-fixed fixed known-affected known-not-affected last-affected recommended under-investigation",
            ),
            _words(
                "controller-kind",
                _OWN,
                "emb municipality party campaign-supplier platform media election-vendor ngo eu-body police court other",
            ),
            _words(
                "election-incident",
                "practice of OSCE and Council of Europe observers, extended",
                "false-voting-information voter-intimidation observer-obstruction ballot-shortage ballot-printing-error "
                "ballot-box-tampering pollbook-failure voting-device-failure transmission-failure results-portal-failure "
                "count-discrepancy protocol-falsification registration-irregularity candidate-registration-dispute "
                "postal-vote-problem abroad-vote-problem multiple-voting campaign-finance-irregularity "
                "misuse-of-administrative-resources unequal-media-access early-result-publication silence-breach bomb-threat violence "
                "vote-buying outage accessibility-failure legal-challenge official-information-error natural-event "
                "polling-place-moved",
            ),
            _words(
                "manipulation-method",
                "stress-test themes of the European Commission, MISP objects",
                "deepfake-video deepfake-audio deepfake-image ai-generated-text cheap-fake media-impersonation "
                "authority-impersonation candidate-impersonation fact-checker-flooding website-cloning inauthentic-network "
                "bot-amplification astroturfing hashtag-hijack paid-influencers covert-advertising false-voting-information "
                "fabricated-document hack-and-leak harassment incitement llm-poisoning payments-to-politicians vote-buying other",
            ),
            _words("claim-verdict", _OWN, "false misleading missing-context satire true unproven"),
            _words(
                "ine-criteria",
                "French decree 2021-922",
                "fundamental-interests foreign-actor manifestly-false artificial-spread",
            ),
            _words(
                "funding-trail",
                _OWN,
                "ad-purchases bank-transfer cash cryptocurrency shell-company crowdfunding in-kind unknown",
            ),
            _words(
                "sanction-measure",
                "Regulation (EU) 2024/2642 and Decision (CFSP) 2024/2643",
                "asset-freeze funds-ban travel-ban asset-transaction-ban financial-transaction-ban broadcasting-suspension",
            ),
            _words(
                "destabilising-conduct",
                "Decision (CFSP) 2024/2643, Article 1",
                "election-obstruction violent-demonstrations violence-or-intimidation information-manipulation "
                "institutions-or-services-attack migrant-instrumentalisation armed-conflict-exploitation association-or-support",
            ),
            _words(
                "offence",
                _OWN,
                "electoral-offence corruption-bribery illegal-party-funding vote-buying foreign-agent-activity computer-intrusion "
                "data-interference fraud identity-misuse forgery money-laundering sanctions-violation threats incitement-hatred",
            ),
            _words(
                "lesson-area",
                _OWN,
                "detection information-sharing response-time stratcom platform-cooperation legal-framework resources training "
                "technology rights international",
            ),
            _words(
                "feedback-reason",
                _OWN,
                "duplicate legitimate-owner satire-or-opinion outdated wrong-jurisdiction insufficient-evidence schema-invalid "
                "signature-invalid tlp-violation cannot-decrypt forwarded other",
            ),
            _words(
                "area-system",
                "ISO 3166, Eurostat, Open Civic Data",
                "iso3166-1 iso3166-2 nuts-2024 lau-2024 ocd-id emb-local",
            ),
            _words(
                "breach-phase",
                "Data Privacy Vocabulary, phases of a notification",
                "initial supplement final bundled",
            ),
            _words(
                "content-status",
                _OWN,
                "lawful illegal terms-violation unassessed",
            ),
            _words(
                "crisis",
                "Regulation (EU) 2022/2065, Articles 36 and 48; IPCR",
                "none rapid-response-system protocol-art48 mechanism-art36 ipcr",
            ),
            _words(
                "data-category",
                "Regulation (EU) 2016/679, Articles 4 and 9, those that touch elections",
                "contact address birth-date national-id electoral-roll voting-history political-opinions political-opinions-inferred "
                "donations location credentials biometric special-other",
            ),
            _words(
                "data-subject",
                _OWN,
                "voters candidates party-members donors election-staff volunteers account-holders device-owners observers informants "
                "journalists",
            ),
            _words(
                "decisive-impact",
                _OWN,
                "none-evidenced possible established unassessed",
            ),
            _words(
                "dsa-account",
                "DSA Transparency Database",
                "suspended terminated",
            ),
            _words(
                "dsa-automated-decision",
                "DSA Transparency Database",
                "fully partially not-automated",
            ),
            _words(
                "dsa-ground",
                "DSA Transparency Database",
                "illegal-content incompatible-content",
            ),
            _words(
                "dsa-monetary",
                "DSA Transparency Database",
                "suspension termination other",
            ),
            _words(
                "dsa-provision",
                "DSA Transparency Database",
                "partial-suspension total-suspension partial-termination total-termination",
            ),
            _words(
                "dsa-visibility",
                "DSA Transparency Database",
                "content-removed content-disabled content-demoted content-age-restricted content-interaction-restricted labelled content-"
                "labelled restored other",
            ),
            _words(
                "duty",
                _OWN,
                "staffed-24x7 office-hours on-call unstaffed",
            ),
            _words(
                "election-device",
                "NIST SP 1500-101 device types",
                "adjudication ballot-activation bmd ballot-marking ballot-printing blank-ballot-printing dre dre-controller "
                "electronic-cast electronic-cast-paper electronic-poll-book ems scan-batch scan-single transmission-sending "
                "transmission-receiving other",
            ),
            _words(
                "evidence-method",
                _OWN,
                "screenshot warc har pcap log forensic-image statement",
            ),
            _words(
                "fimi-scope",
                _OWN,
                "observable incident campaign network",
            ),
            _words(
                "funds-origin",
                "Regulation (EU) 2024/900",
                "public private unknown",
            ),
            _words(
                "legal-role",
                _OWN,
                "power duty offence safeguard soft-law",
            ),
            _words(
                "lesson-status",
                _OWN,
                "open accepted in-progress done rejected",
            ),
            _words(
                "link-type",
                "STIX 2.1 relationship types, OpenCTI extensions, tocsin",
                "amplifies analysis-of attributed-to authored-by based-on beacons-to belongs-to characterizes communicates-with "
                "compromises consists-of controls delivers derived-from detects downloads drops duplicate-of dynamic-analysis-of "
                "exfiltrates-to exploits funds has hosts impersonates indicates investigates located-at mitigates "
                "originates-from owns part-of publishes redirects-to related-to remediates resolves-to same-as static-analysis-of "
                "subnarrative-of subtechnique-of supports targets uses variant-of",
            ),
            _words(
                "listed-subject",
                _OWN,
                "person enterprise",
            ),
            _words(
                "listing-authority",
                "bodies that list",
                "eu-council us-treasury uk-fcdo ch-seco un-sc other",
            ),
            _words(
                "metric-unit",
                _OWN,
                "count seconds ppm percent",
            ),
            _words(
                "nis2-impact",
                "MISP taxonomy nis2",
                "none minor large very-large",
            ),
            _words(
                "nis2-outlook",
                "MISP taxonomy nis2",
                "improving stable worsening",
            ),
            _words(
                "process-effect",
                _OWN,
                "none delay suspension prolonged repeat-vote recount unknown",
            ),
            _words(
                "report-edition",
                _OWN,
                "memo interim final follow-up",
            ),
            _words(
                "republication",
                _OWN,
                "none for-sale leaked used-in-operation",
            ),
            _words(
                "rsit",
                "Reference Security Incident Taxonomy, version 1003",
                "abusive-content:spam abusive-content:harmful-speech abusive-content:violence malicious-code:infected-system "
                "malicious-code:c2-server malicious-code:malware-distribution malicious-code:malware-configuration information-"
                "gathering:scanner information-gathering:sniffing information-gathering:social-engineering intrusion-attempts:ids-"
                "alert intrusion-attempts:brute-force intrusion-attempts:exploit intrusions:privileged-account-compromise "
                "intrusions:unprivileged-account-compromise intrusions:application-compromise intrusions:system-compromise "
                "intrusions:burglary availability:dos availability:ddos availability:misconfiguration availability:sabotage "
                "availability:outage information-content-security:unauthorised-information-access information-content-"
                "security:unauthorised-information-modification information-content-security:data-loss information-content-"
                "security:data-leak fraud:unauthorised-use-of-resources fraud:copyright fraud:masquerade fraud:phishing "
                "vulnerable:weak-crypto vulnerable:ddos-amplifier vulnerable:potentially-unwanted-accessible vulnerable:information-"
                "disclosure vulnerable:vulnerable-system other:other other:undetermined test:test",
            ),
            _words(
                "stratcom-mode",
                _OWN,
                "pre-bunk debunk official-statement voter-information holding-line strategic-silence reactive",
            ),
            _words(
                "thing-kind",
                _OWN,
                "account actor campaign content event infrastructure mailbox malware organisation outlet person phone place tool "
                "vulnerability other",
            ),
            _words(
                "breach-regime",
                "Regulations (EU) 2016/679 and 2018/1725, Directive (EU) 2016/680",
                "gdpr eudpr led eea national",
            ),
            _words(
                "enforcement-addressee",
                "Regulations (EU) 2022/2065, 2024/900, 2016/679, Directive (EU) 2022/2555",
                "platform search-engine hosting-provider ad-publisher ad-sponsor ad-service controller processor essential-entity "
                "important-entity broadcaster party other",
            ),
            _words(
                "finding",
                _OWN,
                "infringement none open",
            ),
            _words(
                "incident-regime",
                "Directives (EU) 2022/2555 and 2022/2557, Regulations (EU, Euratom) 2023/2841 and (EU) 2022/2554",
                "nis2 eui cer dora national",
            ),
            _words(
                "media-check",
                "C2PA 2.1; practice of forensic laboratories",
                "content-credentials watermark detector forensic source-comparison human-review",
            ),
            _words(
                "media-verdict",
                _OWN,
                "authentic synthetic altered out-of-context inconclusive",
            ),
            _words(
                "nis2-entity",
                "Directive (EU) 2022/2555, Article 3",
                "essential important none",
            ),
            _words(
                "trend",
                _OWN,
                "rising stable falling unknown",
            ),
            _words(
                "art34-reason",
                "Regulation (EU) 2016/679, Article 34(3); Directive (EU) 2016/680, Article 13(3)",
                "encrypted measures-taken public-communication ongoing-investigation",
            ),
            _words("calendar-state", _OWN, "scheduled postponed repeated called-off"),
            _words("fallback", _OWN, "paper hand-count courier satellite telephone generator none"),
            _words("order-state", _OWN, "made appealed set-aside expired"),
            _words("fimi-origin", _OWN, "foreign domestic mixed unknown"),
            _words(
                "ttp-framework",
                "DISARM, MITRE ATT&CK and ATLAS, AMITT, Meta kill chain",
                "disarm attack-enterprise attack-mobile attack-ics atlas amitt meta-kc",
            ),
        )
    }
)
"""Every open vocabulary by its name, which a field gives as `x-tocsin-vocabulary`."""
