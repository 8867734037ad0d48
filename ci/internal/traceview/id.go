package traceview

import (
	"fmt"
	"regexp"
	"strings"
)

// digits is the length of a trace id in hexadecimal.
const digits = 32

// A name before the id: that of a header, a label, a field of JSON.
var named = regexp.MustCompile(`^["']?[a-z][a-z0-9_.-]*["']?\s*[:=]\s*["']?`)

// The forms in which tools and headers write the id of a trace together with other
// things, in lower case. The id is what the groups match.
var forms = []*regexp.Regexp{
	// W3C: the header traceparent. Later versions may add to it.
	regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$`),
	// Zipkin: the header b3, with ids of 128 and of 64 bits.
	regexp.MustCompile(`^([0-9a-f]{32})-[0-9a-f]{16}(?:-[01d](?:-[0-9a-f]{16})?)?$`),
	regexp.MustCompile(`^([0-9a-f]{16})-[0-9a-f]{16}-[01d](?:-[0-9a-f]{16})?$`),
	// Jaeger: the header uber-trace-id.
	regexp.MustCompile(`^([0-9a-f]{1,32}):[0-9a-f]{1,16}:[0-9a-f]{1,16}:[0-9a-f]{1,2}$`),
	// AWS X-Ray: the header X-Amzn-Trace-Id, or its first part.
	regexp.MustCompile(`^(?:root=)?1-([0-9a-f]{8})-([0-9a-f]{24})(?:;.*)?$`),
	// The id alone. Tempo leaves leading zeros out, and so do others; ids of 64 bits
	// have half the digits.
	regexp.MustCompile(`^(?:0x)?([0-9a-f]{1,32})$`),
	// The same as a UUID, or in halves.
	regexp.MustCompile(`^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$`),
	regexp.MustCompile(`^([0-9a-f]{16})-([0-9a-f]{16})$`),
}

// ParseID finds the id of a trace in what a person has at hand, and returns it in 32
// lower-case digits: the id with or without its leading zeros, in capitals, as a UUID;
// a whole traceparent, b3, uber-trace-id or X-Amzn-Trace-Id; each with the header's
// name, quotes or spaces around it. The id of zeros is no trace's.
func ParseID(text string) (string, error) {
	s := strings.ToLower(strings.Trim(text, " \t\r\n\"',;"))
	if at := named.FindStringIndex(s); at != nil && !isID(s) {
		s = s[at[1]:]
	}
	for _, form := range forms {
		groups := form.FindStringSubmatch(s)
		if groups == nil {
			continue
		}
		id := strings.Join(groups[1:], "")
		if strings.Trim(id, "0") == "" {
			return "", fmt.Errorf("the trace id %q is zero, which is no trace's", text)
		}
		return strings.Repeat("0", digits-len(id)) + id, nil
	}
	return "", fmt.Errorf("%.200q is not a trace id: want up to %d hexadecimal digits, such as an answer's X-Trace-Id, or a whole traceparent", text, digits)
}

// isID tells whether the text has one of the forms as it is: Jaeger's may begin with
// a letter and have a colon, as a name has.
func isID(s string) bool {
	for _, form := range forms {
		if form.MatchString(s) {
			return true
		}
	}
	return false
}
