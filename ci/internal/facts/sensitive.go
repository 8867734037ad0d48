package facts

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// sensitivePlace is where a kind of sensitive value was found.
type sensitivePlace struct{ kind, where string }

// A recognizer finds one kind of sensitive value in a text.
type recognizer struct {
	// kind is the finding's, as [Sensitive.Kind] has it.
	kind string
	// keys says for which attribute keys the recognizer reads the value; nil is any key,
	// and texts that have none.
	keys *regexp.Regexp
	// hint must be in the text: a cheap look before the expression. Letters of the hint
	// are lower case and match either case. "" is any text.
	hint string
	// digits is the number of digits that must be in the text.
	digits int
	// value finds the sensitive part: its first group, or the whole match if it has none.
	value *regexp.Regexp
	// holds says whether what value found is what it looks like; nil is yes.
	holds func(found string) bool
}

// recognizers are all ways in which a value is recognized. To add one: a line here, and
// texts that it finds and must not find in TestSensitive.
var recognizers = []recognizer{
	// Tokens whose makers gave them a form that nothing else has.
	{kind: "token", hint: "eyj", value: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*`)}, // JWT, RFC 7519
	{kind: "token", hint: "bearer ", value: regexp.MustCompile(`(?i)\bbearer\s+([A-Za-z0-9._~+/-]{8,}=*)`)},              // RFC 6750
	{kind: "token", hint: "basic ", value: regexp.MustCompile(`\b[Bb]asic\s+([A-Za-z0-9+/]{8,}={0,2})(?:$|[\s"',;])`), holds: mixed},
	{kind: "token", hint: "akia", value: regexp.MustCompile(`\bAKIA[0-9A-Z]{16}\b`)},
	{kind: "token", hint: "gh", value: regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{36,}\b`)},
	{kind: "token", hint: "github_pat_", value: regexp.MustCompile(`\bgithub_pat_[A-Za-z0-9_]{22,}\b`)},
	{kind: "token", hint: "glpat-", value: regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{kind: "token", hint: "xox", value: regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{kind: "token", hint: "aiza", value: regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}\b`)},
	{kind: "token", hint: "_live_", value: regexp.MustCompile(`\b[rs]k_live_[A-Za-z0-9]{16,}\b`)},
	{kind: "token", hint: "sk-", value: regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{32,}`)},
	// Values that a name before them says are secret: in a query string, a form, JSON or a
	// log line.
	{kind: "token", value: regexp.MustCompile(`(?i)\b(?:access_token|refresh_token|id_token|auth_token|api_?key|client_secret|secret_key|session_?id|token)["']?\s*[=:]\s*["']?([^\s"'&,;}]{6,})`), holds: unmasked, hint: "|token|key|secret|session"},
	{kind: "password", value: regexp.MustCompile(`(?i)\b(?:password|passwd|pwd|passphrase)["']?\s*[=:]\s*["']?([^\s"'&,;}]+)`), holds: unmasked, hint: "|passw|pwd|passphrase"},
	// Values that an attribute's key says are secret.
	{kind: "password", keys: regexp.MustCompile(`(?i)(?:^|[._-])(?:password|passwd|pwd|passphrase)$`), value: regexp.MustCompile(`(?s)^.+$`), holds: unmasked},
	{kind: "token", keys: regexp.MustCompile(`(?i)(?:^|[._-])(?:authorization|cookie|set[-_]cookie|x[-_]api[-_]key|api[-_]?key|access[-_]token|refresh[-_]token|auth[-_]token|client[-_]secret|secret)$`), value: regexp.MustCompile(`(?s)^.+$`), holds: unmasked},

	{kind: "url_credentials", hint: "://", value: regexp.MustCompile(`://([^/\s:@?#]+:[^/\s@?#]+)@`), holds: unmaskedPassword},
	{kind: "private_key", hint: "private key-----", value: regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*`)},
	{kind: "email", hint: "@", value: regexp.MustCompile(`\b[A-Za-z0-9._%+-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}\b`)},
	{kind: "card_number", digits: 13, value: regexp.MustCompile(`(?:^|[^\w.-])((?:\d[ -]?){12,18}\d)(?:$|[^\w.-]|[.-](?:$|\D))`), holds: card},

	// A statement whose values were not replaced by placeholders.
	{kind: "sql_value", keys: regexp.MustCompile(`^db\.(?:query\.text|statement)$`), value: regexp.MustCompile(`'((?:[^']|'')+)'`), hint: "'", holds: literal},
	{kind: "sql_value", keys: regexp.MustCompile(`^db\.(?:query\.text|statement)$`), value: regexp.MustCompile(`(?:[\w"\])]\s*(?:=|<>|!=|<=|>=|<|>)\s*|(?i:\bVALUES\s*\())(-?\d+(?:\.\d+)?)\b`)},
}

// find returns the part of the text that the recognizer is for; "" if there is none.
func (c recognizer) find(key, text, lower string) (found string, at int) {
	if !hinted(c.hint, lower) || c.digits > 0 && countDigits(text) < c.digits || c.keys != nil && !c.keys.MatchString(key) {
		return "", 0
	}
	for _, m := range c.value.FindAllStringSubmatchIndex(text, 10) {
		begin, end := m[0], m[1]
		if len(m) > 2 {
			begin, end = m[2], m[3]
		}
		if found := text[begin:end]; c.holds == nil || c.holds(found) {
			return found, begin
		}
	}
	return "", 0
}

// hinted tells whether the text has the hint. A hint that begins with | has several with |
// between them.
func hinted(hint, lower string) bool {
	if !strings.HasPrefix(hint, "|") {
		return strings.Contains(lower, hint)
	}
	for word := range strings.SplitSeq(hint[1:], "|") {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

func countDigits(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			n++
		}
	}
	return n
}

// search looks for sensitive values in a text and counts them. It returns what it counted.
func (r *record) search(where, key, text, traceID string) []*Sensitive {
	var counted []*Sensitive
	text = shorten(text, maxScanned)
	lower := strings.ToLower(text)
	for _, c := range recognizers {
		found, _ := c.find(key, text, lower)
		if found == "" {
			continue
		}
		place := sensitivePlace{c.kind, where}
		s, ok := r.sensitive[place]
		if !ok {
			if len(r.sensitive) >= r.keeper.limits.sensitive {
				r.reached[boundSensitive]++
				continue
			}
			s = &Sensitive{Kind: c.kind, Where: where, Example: mask(found), TraceID: traceID}
			r.sensitive[place] = s
		}
		if !slices.Contains(counted, s) {
			s.Count++
			counted = append(counted, s)
		}
	}
	return counted
}

// masked is the text with each sensitive value in it masked.
func masked(key, text string) string {
	lower := strings.ToLower(text)
	for _, c := range recognizers {
		for from := 0; from < len(text); {
			found, at := c.find(key, text[from:], lower)
			if found == "" {
				break
			}
			hidden := mask(found)
			text = text[:from+at] + hidden + text[from+at+len(found):]
			from += at + len(hidden)
		}
	}
	return text
}

// mask replaces all characters but the first and the last two by asterisks, and all of a
// short text.
func mask(s string) string {
	runes := []rune(s)
	n := len(runes)
	if n <= 6 {
		return strings.Repeat("*", n)
	}
	return string(runes[:2]) + strings.Repeat("*", min(n-4, 20)) + string(runes[n-2:])
}

// unmasked tells whether a secret is there, and not what a careful program writes in its
// place: asterisks, REDACTED, [FILTERED], a placeholder.
func unmasked(found string) bool {
	found = strings.Trim(found, `[]()<>{}"' `)
	switch strings.ToLower(found) {
	case "", "redacted", "filtered", "hidden", "masked", "removed", "null", "none", "nil", "undefined", "true", "false", "?":
		return false
	}
	return strings.Trim(found, "*xX.•") != "" && !strings.Contains(found, "****") &&
		!strings.HasPrefix(found, "$") && !strings.HasPrefix(found, "%")
}

// unmaskedPassword is unmasked for the password of a URL's user and password.
func unmaskedPassword(found string) bool {
	_, password, _ := strings.Cut(found, ":")
	return unmasked(password)
}

// mixed tells whether a text has what base64 of a user and a password has and a plain word
// has not.
func mixed(found string) bool {
	return strings.ContainsAny(found, "0123456789=") && strings.ToLower(found) != found && strings.ToUpper(found) != found
}

// literal tells whether a quoted SQL text is a value: not a placeholder, not empty.
func literal(found string) bool {
	return unmasked(found) && utf8.RuneCountInString(found) > 0 && strings.Trim(found, "?%") != ""
}

// card tells whether digits are the number of a payment card: a length and a beginning that
// an issuer has (ISO/IEC 7812), and a check digit that is right (Luhn).
func card(found string) bool {
	digits := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, found)
	if !issued(digits) {
		return false
	}
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// issued tells whether digits have the length and the beginning of a large issuer's cards:
// Visa, Mastercard, American Express, Discover, Diners Club.
func issued(digits string) bool {
	if len(digits) < 13 || strings.Trim(digits, digits[:1]) == "" {
		return false
	}
	two, four := digits[:2], digits[:4]
	switch len(digits) {
	case 13, 19:
		return digits[0] == '4'
	case 14:
		return two == "30" || two == "36" || two == "38"
	case 15:
		return two == "34" || two == "37"
	case 16:
		return digits[0] == '4' || two >= "51" && two <= "55" || four >= "2221" && four <= "2720" || four == "6011" || two == "65"
	}
	return false
}
