package usersql

import "strings"

// sanitizeQuery replaces every literal of a statement (string, blob or number) with
// "?". Keywords, names and operators remain.
//
// It works on the finished statement and not on Bun's template, because a template may
// contain values too, such as the number of a LIMIT. It need not understand the
// statement. In SQLite and PostgreSQL, a value is a number or stands in single quotes; a name is a
// word or stands in double quotes, backquotes or brackets.
func sanitizeQuery(query string) string {
	var b strings.Builder
	b.Grow(len(query))
	for i := 0; i < len(query); {
		switch c := query[i]; {
		case c == '\'':
			i = skipQuoted(query, i, '\'')
			b.WriteByte('?')
		case (c == 'x' || c == 'X') && i+1 < len(query) && query[i+1] == '\'':
			i = skipQuoted(query, i+1, '\'')
			b.WriteByte('?')
		case isDigit(c) || c == '.' && i+1 < len(query) && isDigit(query[i+1]):
			i = skipNumber(query, i)
			b.WriteByte('?')
		case c == '"' || c == '`':
			end := skipQuoted(query, i, c)
			b.WriteString(query[i:end])
			i = end
		case isWord(c):
			end := i + 1
			for end < len(query) && (isWord(query[end]) || isDigit(query[end])) {
				end++
			}
			b.WriteString(query[i:end])
			i = end
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// skipQuoted returns the index after the quoted text that begins at start. A doubled
// quote stands for a quote within the text. A text without an end extends to the end of
// the statement.
func skipQuoted(query string, start int, quote byte) int {
	for i := start + 1; i < len(query); i++ {
		if query[i] != quote {
			continue
		}
		if i+1 < len(query) && query[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(query)
}

// skipNumber returns the index after the number that begins at start, such as 12,
// 1_000, 1.5e-3 or 0x1f.
func skipNumber(query string, start int) int {
	i := start
	for ; i < len(query); i++ {
		c := query[i]
		exponentSign := (c == '+' || c == '-') && i > start && (query[i-1] == 'e' || query[i-1] == 'E')
		if !isDigit(c) && !isWord(c) && c != '.' && !exponentSign {
			break
		}
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}
