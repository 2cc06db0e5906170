"""What a text is about, in any of five languages: the terms of the field as beginnings of words, by matter. Pure.

A German report of a slow results page and an English one of a flood have no word in common and a matter in common. The table has
the terms of the vocabularies (`schemas.open_vocab`) and of reports on elections, in English, German, French, Estonian and Greek,
in Latin letters as `bus.hub.incidents.spelling` spells words. It is a glossary, not a model: it can be read and corrected.
"""

from __future__ import annotations

from functools import lru_cache

_SHORTEST, _LONGEST = 3, 14
_INSIDE = 6
"""A term of so many letters is found inside compounds, too; a shorter one at the beginning of a word alone."""

_TABLE = """
postal vote: postal briefwahl wahlschein correspondance postihaal kirjateel epistoliki
ballot: ballot stimmzettel bulletin haaletussedel psifodelti
ballot box: ballotbox urn wahlurne valimiskast kalp
polling place: precinct wahllokal wahlraum stimmbezirk wahlbezirk bureau jaoskon valimisjaoskon tmimat tmima
polling card: pollingcard wahlbenachricht wahlkarte valijakaar
result: result ergebnis resultat tulemus apotelesm
count: count tally tallies auszahl depouill decompte haaltelugem lugemi katametris
survey: survey exitpoll umfrage prognose sondage kusitlus dimoskopis
turnout: turnout wahlbeteilig participation osavot proseleys
roll: roll$ register registr wahlerverzeichnis melderegister nimekir mitroo katalogo listeelect pollbook
observers: observ wahlbeobacht beobacht vaatlej paratirit
candidate: candidat kandidat kandidaat ypopsifi
party: party$ parties partei parti$ erakon komma$ kommat
minister: minist
chair: chair$ chairman vorsitz president esimehe esimees proedr
e-vote: evot internetvot internetwahl ehaal ehaalet internetihaal ilektronik elektronisch electroniqu electronic
e-vote: elektroonili
identity: identity identit ausweis idkaar taftotit tautotit isikukood isikutunnist idcard
abroad: abroad diaspora embass botschaft consul konsul ambassad saatkon ausland etranger valisma proxen presvei
abroad: exoterik
island: island insel saar nisi nisio
school: school schule ecole kool scholei
date: date$ wahltag wahltermin termin$ calendrier kuupaev imeromin
put off: postpon putoff verschob verschieb verlegt reporte lukati anavol anavlith
weekday: monday montag lundi esmaspaev deyter tuesday dienstag mardi sunday sonntag dimanche puhapaev kyriak saturday
weekday: samstag samedi laupaev
hour: hour uhrzeit offnungszeit heures$ horaire kellaaeg oraria
closed: closed$ closure geschloss fermet ferme$ fermes fermee suleta sulgem kleist
moved: moved relocat demenag deplac transfere kolit kolim metafor metafer verlegt
queue: queue schlange warteschlange attente jarjekor oyra
delay: delay verspat verzoger retard hilin kathyster
lost: lost missing vermisst verloren perdu disparu kadunud kadum chath
print: print reprint druck gedruck imprim trukk trukit truki typograf ektypos
envelope: envelop umschlag umbrik fakel
signature: signatur signed unterschrift allkir ypogra
letter: letter$ brief$ briefe lettre$ kirja$ kiri$ epistoles
leaflet: leaflet flyer flugblatt tract voldik lendleht fylladi poster plakat affiche plakati afis
text message: sms$ smse textmessage kurznachricht textnachricht tekstisonum minyma$ minymat gateway
call: call telephon telefon phone anruf appel kone konekeskus helist robocall klisi klisei tilefon
e-mail: email mail$ mailbox postfach courriel messageri ekiri$ kirju meil$ postkast ilektronikotach
document: document dokument dokumen paper papier papiere eggraf
video: video clip film vinteo
picture: picture photo image bild foto frame pilt pildi eikon fotogra
recording: audio recording voice stimme tonaufnahme aufnahme voix enregistr salvestus helisalv foni$ fonis$ fonitik
recording: ichograf ichitik taped
synthetic: synthet synthes deepfake hypertruc kunstlich tehisli syvavolt suvavolt sintee
false: false fake falsch falsif gefalsch forged forger faux fausse fals nachgemacht valed vale volts pseyd plast
false: erfunden invent fabricat fabriqu contref bogus mensong tromp kataskey
copy: copy copies copied kopie kopiert copie clone clonag klon kloon kloni double doppelgang mirror spiegel lookalik
copy: koopia koopiad antigra klonopoi
impersonation: impersonat usurp nachahm esinem mimis pose
rumour: rumour rumor gerucht behauptung rumeur kuulujut vaide$ vaidet vaited isxyrism fimes fimi$
satire: satir joke scherz witz blague nali asteio
robots: bot$ bots$ botnet automat amplif inauthentic coordinat koordin robot vorgustik reseau diktyo verstark voimend
account: account konto konten compte logariasm profil
channel: channel kanal canal
advertising: advert werb publicit reklaam diafimis annonceur
influencer: influenc suunamud
money: money payment pay$ paid geld geldwasch zahlung argent paiement paie raha$ rahapes makse makstu chrim pliromi
money: emvasm donor donat spende annetu wallet transfer uberweis virement crypto krypto
bribe: brib votebuy voucher gutschein stimmenkauf achat bestech potdevin altkaem exagor dorodok
extortion: extort blackmail erpress ransom chantage rancon valjapress lytra ekviasm
fraud: fraud betrug fraude escroqu arnaque pettus apati
site: site website webseite internetseite page leheku veebile kodule istosel selid portal portail portaal pyli
domain: domain domeen
phishing: phish spearphish hameconn ongits psarema
password: password passwort kennwort parool kodiko credential zugangsdat identifiant bruteforce guess
intrusion: intrus intrud eindring einbruch sissetung eisvol dieisdys compromis piratag hacked hacker hacking murtud
malware: malware malicious loader trojan schadcode malveill pahavar pahataht kakovoul
ransomware: ransomwar encrypt verschlussel chiffrem rancongiciel kryptee krupt lunavar kryptogra
flood: flood ddos denial dos deni uberlast dienstverweiger ummistus arnis
outage: outage ausfall panne defaillan failure fail torge katkestus rike diakop vlavi unavailab
slow: slow langsam lent aeglase aegla argi
leak: leak datenleck abfluss fuite leke leki diarro divulg
breach: breach personaldata anschrift adresse address aadress dieythyns kontaktdat
mistake: mistake error mishap fehler versehent irrtum erreur erron viga eksi ekslik lathos misdirect misprint
supplier: supplier vendor dienstleist auftragsverarb prestataire soustrait fournisseur tarnij promitheyt processor
printer: printer druckerei imprimerie imprimeur trukikod typografeio
municipality: municip town gemeinde stadt$ stadte kommun commune mairie ville vald$ valla linna omavalits dimos$ dimou
municipality: dimotik dimarch
hospital: hospital clinic klinik krankenhaus hopital haigla kliinik nosokom patient
railway: railway train bahn bahnhof chemindefer raudtee rongi sidirodrom
harbour: port$ ports$ harbour hafen sadam limani$ limania
ship: ferry ferries faehre fahre ferri praam laev ploio ploion
strike: strike streik greve streik apergi
weather: storm weather sturm unwetter wetter tempete torm ilmast kakokair
fire: fire$ burn burnt verbrann brenn brul$ brulee incendi tulekahj fotia
bomb: bomb bombe pomm vomv
threat: threat droh menac ahvard apeil
violence: violen gewalt vagivald via
newspaper: newspaper zeitung journal ajaleht efimerid gazette
broadcaster: broadcast rundfunk television diffuseur ringhaal televis tileoras radio
investment: invest trading aktie anlage placement ependys ependyt
sale: sell sale sold verkauf vend vente myymi muug poul
certificate: certific zertifik sertifik pistopoi
flaw: vulnerab flaw schwachstel verwundb faille noerkus haavatav eypath patch
licence: licen lizenz litsents adei
key: key$ schlussel cle$ votme kleidi$
staff: staff mitarbeit personnel fonctionn ametni personal ypallil
journalist: journalist reporter redakt redacteur ajakirjani dimosiogr
badge: badge abzeich
withdrawal: withdr ruckzug zuruckgez retrait desist loobu aposyr gives
insult: insult beleidig insulte solva exyvris
harassment: harass belastig harcel ahista parenochl
intimidation: intimid einschuchter hirmut ekfov
exercise: exercis drill ubung exercice oppus askisi
power: powercut strom elektrizit electricit elekter revma generator
device: device router geraet appareil seade syskey machine
signals: cable kabel$ liinikatkes
finance: funding finanzier financem rahast chrimatod sponsor payer geldgeber
wind: windfarm
claim: claim behaupt pretend vaid isxyriz
attack: attack angriff attaque runne runnak epithes
tag: hashtag
-: country countries countr countless district accountab parties bilder portable portrait porto linear dating ballotin
-: reporters reporting textil dominant dose dossier signal
"""


def _read(table: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in table.strip().splitlines():
        matter, _, terms = line.partition(": ")
        for term in terms.split():
            found.setdefault(term, set()).update({matter} - {"-"})
    return {term: frozenset(matters) for term, matters in found.items()}


_MATTERS_OF = _read(_TABLE)


@lru_cache(maxsize=20_000)
def matters_of(word: str) -> frozenset[str]:
    """The matters that a word names: those of the longest term with which it begins, and of long terms inside it.

    Args:
        word: small Latin letters.
    """
    if whole := _MATTERS_OF.get(f"{word}$"):
        return whole
    for length in range(min(_LONGEST, len(word)), _SHORTEST - 1, -1):
        found = _MATTERS_OF.get(word[:length])
        if found is not None and (length > _SHORTEST or length == len(word)):
            return found
    found = frozenset()
    for start in range(1, len(word) - _INSIDE + 1):
        for length in range(_INSIDE, min(_LONGEST, len(word) - start) + 1):
            found |= _MATTERS_OF.get(word[start : start + length], frozenset())
    return found
