-- Trainings, by the folder that they write into. How far they are stands there, not here.
CREATE TABLE trainings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    output TEXT NOT NULL UNIQUE,
    command TEXT NOT NULL,
    started INTEGER NOT NULL
);
