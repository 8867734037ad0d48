-- Pioneers of computing. Their creation times are an hour apart; the last is now.
INSERT INTO users (name, email, email_key, created_at)
SELECT column1, column2, column2, date_trunc('second', now()) + column3::interval
FROM (VALUES
    ('Ada Lovelace',      'ada@example.com',      '-11 hours'),
    ('Alan Turing',       'alan@example.com',     '-10 hours'),
    ('Grace Hopper',      'grace@example.com',    '-9 hours'),
    ('Kathleen Booth',    'kathleen@example.com', '-8 hours'),
    ('Edsger Dijkstra',   'edsger@example.com',   '-7 hours'),
    ('Frances Allen',     'frances@example.com',  '-6 hours'),
    ('John McCarthy',     'john@example.com',     '-5 hours'),
    ('Katherine Johnson', 'katherine@example.com','-4 hours'),
    ('Dennis Ritchie',    'dennis@example.com',   '-3 hours'),
    ('Mary Kenneth Keller', 'mary@example.com',   '-2 hours'),
    ('Niklaus Wirth',     'niklaus@example.com',  '-1 hours'),
    ('Evelyn Boyd Granville', 'evelyn@example.com', '-0 hours')) AS sample
ON CONFLICT DO NOTHING;
