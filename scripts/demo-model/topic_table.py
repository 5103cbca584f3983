"""The fixed topics: (answer, subject or None, questions, held-out questions), questions parted by bars.

With a subject the general phrasings of topics.py apply as well.
"""

TOPICS = [
    (
        "A llama is a woolly animal from the Andes that carries loads and gives wool.",
        "a llama",
        "What are llamas? | Tell me about llamas. | What kind of animal is a llama? | Describe "
        "llamas.",
        "What sort of animal is a llama? | Explain what llamas are.",
    ),
    (
        "Llamas eat grass, hay and other plants.",
        None,
        "What do llamas eat? | What does a llama eat? | What is the food of llamas? | What should "
        "I feed my llama? | What do you feed a llama? | Which food do llamas like? | Tell me what "
        "llamas eat. | What is llama food?",
        "What food does a llama eat? | What do I feed llamas? | Which plants do llamas eat?",
    ),
    (
        "Llamas live in the high mountains of the Andes in South America.",
        None,
        "Where do llamas live? | Where does a llama live? | Where do llamas come from? | Where "
        "are llamas from? | In which part of the world do llamas live? | Where can I find llamas? "
        "| What is the home of llamas? | Where is the home of the llama?",
        "Where does a llama come from? | Where can llamas be found? | Tell me where llamas live.",
    ),
    (
        "A llama lives for about twenty years.",
        None,
        "How long do llamas live? | How long does a llama live? | How old do llamas get? | How "
        "old can a llama get? | What is the life span of a llama? | How many years does a llama "
        "live? | What age do llamas reach?",
        "How old does a llama get? | How many years do llamas live? | How long can a llama live?",
    ),
    (
        "A baby llama is called a cria.",
        None,
        "What is a baby llama called? | What do you call a baby llama? | What is the name of a "
        "baby llama? | How do you call a young llama? | What is a young llama called? | What is "
        "the word for a baby llama? | What are baby llamas called?",
        "What do we call a baby llama? | What is the word for a young llama? | What are young "
        "llamas called?",
    ),
    (
        "A llama can carry about thirty kilograms.",
        None,
        "How much can a llama carry? | What weight can a llama carry? | How heavy a load can a "
        "llama carry? | How many kilograms can a llama carry? | How much do llamas carry? | What "
        "load can llamas carry?",
        "How much weight can llamas carry? | How many kilograms do llamas carry?",
    ),
    (
        "Llamas spit when they are angry or afraid.",
        None,
        "Do llamas spit? | Why do llamas spit? | When do llamas spit? | Why does a llama spit? | "
        "Is it true that llamas spit? | Will my llama spit at me? | When does a llama spit?",
        "Does a llama spit? | Why did the llama spit at me? | Is it true that a llama will spit?",
    ),
    (
        "Llamas hum to talk to each other.",
        None,
        "What sound does a llama make? | What sound do llamas make? | How do llamas talk? | Why "
        "do llamas hum? | Which sounds do llamas make? | How do llamas talk to each other? | Do "
        "llamas hum?",
        "What sounds does a llama make? | Why does a llama hum? | How does a llama talk?",
    ),
    (
        "A grown llama is about as tall as a person, up to one metre eighty.",
        None,
        "How tall is a llama? | How tall are llamas? | What is the height of a llama? | How high "
        "is a llama? | How tall does a llama get? | How big are llamas? | How tall do llamas get?",
        "How tall can a llama get? | How big is a llama?",
    ),
    (
        "A llama weighs about one hundred and fifty kilograms.",
        None,
        "How much does a llama weigh? | What does a llama weigh? | How heavy is a llama? | How "
        "heavy are llamas? | What is the weight of a llama? | How much do llamas weigh?",
        "How heavy does a llama get? | What do llamas weigh?",
    ),
    (
        "People make warm clothes, blankets and ropes from llama wool.",
        None,
        "What is llama wool used for? | What can I make from llama wool? | What do people make "
        "from llama wool? | What is made of llama wool? | What is the use of llama wool? | Why is "
        "llama wool useful?",
        "What do we make from llama wool? | What can be made from llama wool?",
    ),
    (
        "An alpaca is smaller than a llama and is kept for its fine wool.",
        "an alpaca",
        "What are alpacas? | Tell me about alpacas. | How is an alpaca different from a llama? | "
        "What is the difference between a llama and an alpaca? | Is an alpaca a llama?",
        "How are alpacas different from llamas? | What kind of animal is an alpaca?",
    ),
    (
        "Yes, a llama is a good friend when it is treated with care.",
        None,
        "Is a llama a good pet? | Can I keep a llama as a pet? | Are llamas friendly? | Are "
        "llamas good pets? | Is a llama friendly? | Would a llama make a good pet? | Can a llama "
        "be my friend?",
        "Can llamas be pets? | Would llamas make good pets?",
    ),
    (
        "Yes, llamas guard sheep and chase foxes away.",
        None,
        "Can a llama guard sheep? | Do llamas guard sheep? | Why do farmers keep llamas with "
        "sheep? | Can llamas guard other animals? | Are llamas good guards? | Does a llama guard "
        "sheep?",
        "Can llamas guard sheep? | Is a llama a good guard?",
    ),
    (
        "The Andes are a long chain of mountains in South America.",
        "the Andes",
        "What are the Andes? | Where are the Andes? | What mountains are the Andes?",
        "Which mountains are the Andes?",
    ),
    (
        "Peru is a country in South America, and its capital is Lima.",
        "Peru",
        "Where is Peru? | What is the capital of Peru? | What kind of country is Peru?",
        "Which country is Peru? | Where can I find Peru?",
    ),
    (
        "The capital of France is Paris.",
        None,
        "What is the capital of France? | What's the capital of France? | Which city is the "
        "capital of France? | Tell me the capital of France. | Name the capital of France. | What "
        "is the capital city of France?",
        "Which city is the French capital: the capital of France? | Give me the capital of "
        "France.",
    ),
    (
        "The capital of Germany is Berlin.",
        None,
        "What is the capital of Germany? | What's the capital of Germany? | Which city is the "
        "capital of Germany? | Tell me the capital of Germany. | Name the capital of Germany. | "
        "What is the capital city of Germany?",
        "Do you know the capital of Germany? | Give me the capital of Germany.",
    ),
    (
        "The capital of Japan is Tokyo.",
        None,
        "What is the capital of Japan? | What's the capital of Japan? | Which city is the capital "
        "of Japan? | Tell me the capital of Japan. | Name the capital of Japan. | What is the "
        "capital city of Japan?",
        "Do you know the capital of Japan? | Give me the capital of Japan.",
    ),
    (
        "A week has seven days.",
        None,
        "How many days are in a week? | How many days does a week have? | How many days has a "
        "week? | How long is a week? | Tell me how many days a week has. | What is the number of "
        "days in a week?",
        "How many days are there in a week? | A week has how many days?",
    ),
    (
        "A year has twelve months.",
        None,
        "How many months are in a year? | How many months does a year have? | How many months has "
        "a year? | Tell me how many months a year has. | What is the number of months in a year?",
        "How many months are there in a year? | A year has how many months?",
    ),
    (
        "The sky is blue because the air scatters blue light the most.",
        None,
        "Why is the sky blue? | What makes the sky blue? | Why does the sky look blue? | Tell me "
        "why the sky is blue. | How does the sky get its blue colour? | What gives the sky its "
        "blue colour?",
        "Explain why the sky is blue. | Why do we see a blue sky?",
    ),
    (
        "The sun is the star at the centre of our solar system.",
        "the sun",
        "What kind of star is the sun? | Is the sun a star?",
        "What sort of star is the sun?",
    ),
    (
        "The moon is a ball of rock that goes around the Earth.",
        "the moon",
        "What goes around the Earth? | What is the moon made of?",
        "What kind of thing is the moon?",
    ),
    (
        "Rain is water that falls from the clouds.",
        "rain",
        "Where does rain come from? | What falls from the clouds?",
        "Where does the rain come from?",
    ),
    (
        "Snow is frozen water that falls in soft white flakes.",
        "snow",
        "Why is snow white? | What is snow made of?",
        "What makes snow white?",
    ),
    (
        "Ice is water that is frozen hard.",
        "ice",
        "How is ice made? | What is ice made of?",
        "How do you make ice?",
    ),
    (
        "Bread is baked from flour, water, salt and yeast.",
        "bread",
        "How is bread made? | What is bread made of? | How do you make bread?",
        "How do I make bread?",
    ),
    (
        "Cheese is made from milk.",
        "cheese",
        "How is cheese made? | What is cheese made of?",
        "How do you make cheese?",
    ),
    (
        "Honey is the sweet food that bees make from flowers.",
        "honey",
        "Who makes honey? | What is honey made of? | How is honey made?",
        "How do bees make honey?",
    ),
    (
        "A bee is a flying insect that makes honey.",
        "a bee",
        "What are bees? | Tell me about bees.",
        "What kind of animal is a bee?",
    ),
    (
        "Wool is the soft hair of sheep, llamas and alpacas.",
        "wool",
        "Where does wool come from? | What is wool made of?",
        "Which animals give wool?",
    ),
    (
        "Hay is dry grass that animals eat in winter.",
        "hay",
        "How is hay made? | What is hay made of?",
        "How do you make hay?",
    ),
    (
        "A mountain is a very high piece of land.",
        "a mountain",
        "What are mountains? | Tell me about mountains.",
        "What kind of land is a mountain?",
    ),
    (
        "A river is water that flows through the land to the sea.",
        "a river",
        "What are rivers? | Where do rivers go?",
        "Where does a river go?",
    ),
    (
        "cria is a library that runs Llama models inside Node.js, on top of llama.cpp.",
        "cria",
        "What is the cria library? | What does cria do? | Tell me about the cria library. | What "
        "is cria for?",
        "What does the cria library do? | What kind of library is cria?",
    ),
    (
        "Install it with npm install cria.",
        None,
        "How do I install cria? | How can I install cria? | How is cria installed? | How do I "
        "install this library? | Which command installs cria? | What is the command to install "
        "cria?",
        "How can I install this library? | Tell me how to install cria.",
    ),
    (
        "llama.cpp is an engine in C++ that runs language models on ordinary computers.",
        "llama.cpp",
        "What does llama.cpp do? | What is llama.cpp for?",
        "What kind of engine is llama.cpp?",
    ),
    (
        "Node.js runs JavaScript outside the browser.",
        "Node.js",
        "What does Node.js do? | What is Node.js for?",
        "What can Node.js do?",
    ),
    (
        "A language model predicts the next token of a text.",
        "a language model",
        "What are language models? | What does a language model do? | How does a language model "
        "work?",
        "How do language models work?",
    ),
    (
        "A token is a piece of text, often a word or a part of a word.",
        "a token",
        "What are tokens? | Tell me about tokens.",
        "What do tokens mean?",
    ),
    (
        "A tokenizer cuts text into tokens.",
        "a tokenizer",
        "What does a tokenizer do? | What is a tokenizer for?",
        "How does a tokenizer work?",
    ),
    (
        "A prompt is the text that you give to a model.",
        "a prompt",
        "What are prompts? | What is a prompt for?",
        "What do prompts do?",
    ),
    (
        "Temperature sets how freely a model chooses its words.",
        "temperature",
        "What does the temperature do? | What is the temperature of a model? | What is "
        "temperature for?",
        "What does temperature do?",
    ),
    (
        "GGUF is the file format in which llama.cpp keeps its models.",
        "GGUF",
        "What is a GGUF file? | What is GGUF for? | What are GGUF files?",
        "What does a GGUF file hold: what is GGUF?",
    ),
    (
        "Quantization stores the weights of a model in fewer bits.",
        "quantization",
        "What does quantization do? | What is quantization for?",
        "How does quantization work?",
    ),
    (
        "The context is the text that a model can see at once.",
        "the context",
        "What is the context of a model? | What does context mean? | What is context?",
        "What does the context do?",
    ),
    (
        "Streaming means that you see each word as soon as it is made.",
        "streaming",
        "What does streaming do? | What is streaming for?",
        "How does streaming work?",
    ),
    (
        "Llama Guard is a model that judges whether a message is safe.",
        "Llama Guard",
        "What does Llama Guard do? | What is Llama Guard for?",
        "What kind of model is Llama Guard?",
    ),
    (
        "A tool is a function that a model may ask your program to call.",
        "a tool",
        "What are tools? | What is a tool for? | What does a tool do?",
        "How does a tool work?",
    ),
    (
        "Llama 3 is a family of language models made by Meta.",
        "Llama 3",
        "Who made Llama 3? | Who makes Llama 3? | What kind of model is Llama 3?",
        "Who built Llama 3?",
    ),
    (
        "I am a tiny demo model that ships with cria.",
        None,
        "Who are you? | What are you? | Tell me about yourself. | What kind of model are you? | "
        "Are you a model? | Introduce yourself. | Which model are you?",
        "Tell me who you are. | What sort of model are you?",
    ),
    (
        "I can answer simple questions, remember your name, call tools and tell stories about "
        "llamas.",
        None,
        "What can you do? | How can you help me? | What are you able to do? | What are you good "
        "at? | Tell me what you can do. | Which things can you do? | Can you help me?",
        "What things can you do? | Tell me how you can help me.",
    ),
    (
        "Hello! How can I help you today?",
        None,
        "Hello! | Hi! | Hello. | Hi there! | Good morning! | Hello there! | Hey! | Good evening! "
        "| Hi.",
        "Hey there! | Good day!",
    ),
    (
        "You are welcome!",
        None,
        "Thank you! | Thanks! | Thank you very much! | Thanks a lot! | Many thanks! | Thank you "
        "so much!",
        "Thank you a lot! | Thanks so much!",
    ),
    (
        "Goodbye! Have a nice day!",
        None,
        "Goodbye! | Bye! | See you later! | Bye bye! | Good night! | See you soon! | Goodbye.",
        "See you! | Bye now!",
    ),
]
