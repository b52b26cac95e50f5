//! The facts that made-up rows are about.

pub const THINGS: &str = "fox crane lantern violin teapot lighthouse tortoise compass bicycle piano kite anchor otter falcon \
    mirror clock candle barrel ladder wagon rocket telescope umbrella suitcase hammer basket blanket trumpet pumpkin walnut \
    cactus orchid tulip willow maple beetle spider lizard octopus dolphin penguin badger squirrel hedgehog raven sparrow \
    pigeon turkey donkey camel llama bison moose goose panther leopard jaguar cheetah rabbit hamster ferret weasel walrus \
    seal whale shark salmon trout herring lobster oyster snail turtle frog toad newt dragon unicorn griffin phoenix goblin \
    wizard pirate sailor farmer baker tailor miller cobbler potter weaver glove scarf button zipper pocket wallet bottle \
    kettle spoon saucer napkin pillow curtain carpet cupboard drawer shelf stool bench fountain bridge tunnel tower castle \
    cabin cottage tent hammock canoe ferry tractor tram scooter helmet goggles whistle drum flute harp banjo cello oboe \
    puzzle marble domino puppet robot magnet battery candy pretzel waffle muffin pickle radish turnip parsnip carrot onion";

pub const PLACES: &str = "Lisbon Oslo Vienna Prague Dublin Athens Warsaw Helsinki Madrid Budapest Zagreb Sofia Tallinn Riga Vilnius \
    Bern Geneva Zurich Milan Turin Naples Palermo Porto Seville Valencia Granada Lyon Nice Bordeaux Nantes Ghent Bruges \
    Antwerp Utrecht Leiden Bremen Dresden Leipzig Munich Hamburg Cologne Salzburg Innsbruck Krakow Gdansk Brno Bratislava \
    Ljubljana Sarajevo Skopje Tirana Bucharest Chisinau Odessa Minsk Tbilisi Yerevan Baku Ankara Izmir Cairo Tunis Rabat \
    Dakar Accra Lagos Nairobi Kampala Lusaka Harare Windhoek Maputo Cairns Perth Hobart Darwin Sydney Brisbane Auckland \
    Wellington Suva Manila Hanoi Bangkok Jakarta Bali Kyoto Osaka Nagoya Sapporo Seoul Busan Taipei Lima Quito Bogota Cali \
    Caracas Santiago Rosario Cordoba Montevideo Asuncion Iran Iraq Niger Austria Australia Norway Sweden Denmark Toronto \
    Ottawa Montreal Calgary Boston Denver Dallas Seattle Portland Chicago Detroit";

pub const FIRST: &str = "Mira Jonas Clara Emil Nora Felix Ida Oscar Lena Hugo Alma Bruno Elsa Anton Greta Viktor Maja Leo Frida Otto \
    Anna Karl Ruth Simon Vera Jakob Tilda Erik Sonja Pavel Irina Marco Giulia Pedro Ines Luis Carmen Diego Amara Kofi Zainab \
    Omar Leila Hassan Yuki Kenji Mei Wei Priya Arjun Ravi Sunita Fatima Samuel Grace Peter Alice Henry";

pub const LAST: &str = "Jansen Jensen Berger Novak Keller Lindgren Moreau Rossi Silva Costa Almeida Navarro Ortega Duarte Petrov \
    Ivanova Kowalski Horvat Popescu Nagy Szabo Virtanen Korhonen Nielsen Olsen Hansen Larsen Eriksen Dubois Lefevre Garnier \
    Fontaine Ricci Marino Greco Conti Tanaka Suzuki Yamada Kimura Chen Huang Zhang Kapoor Sharma Mensah Owusu Diallo Traore \
    Okafor Adeyemi Haddad Nasser Rahimi Walker Hughes Bennett Foster Graham Murray";

pub const SUBJECTS: &str = "photosynthesis astronomy grammar algebra chemistry geology architecture carpentry economics philosophy \
    genetics optics acoustics botany zoology sociology linguistics medicine nursing archaeology navigation surveying \
    electricity magnetism ceramics metallurgy agriculture forestry beekeeping brewing printing bookbinding photography \
    cinema theatre opera ballet sculpture poetry rhetoric logic statistics probability geometry trigonometry calculus \
    cryptography robotics ecology meteorology oceanography volcanology psychology pedagogy theology diplomacy taxation \
    insurance banking logistics journalism typography heraldry genealogy falconry gymnastics wrestling fencing rowing \
    sailing climbing orienteering chess cooking baking gardening knitting embroidery";
