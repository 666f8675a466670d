"""Translation engines behind the `Translator` protocol, and what holds for all of them: terms (`terms`) and what is
tried when a line comes back damaged (`lines`)."""
