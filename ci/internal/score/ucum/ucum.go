// Package ucum tells whether a text is a unit in the Unified Code for Units of Measure
// (case sensitive), the code that OpenTelemetry's metrics write their units in.
package ucum

import (
	"errors"
	"fmt"
	"strings"
)

// prefixes are the metric prefixes, and the binary ones; with the words that a name may
// write them as.
var prefixes = map[string]string{
	"Q": "quetta", "R": "ronna", "Y": "yotta", "Z": "zetta", "E": "exa", "P": "peta", "T": "tera", "G": "giga", "M": "mega", "k": "kilo", "h": "hecto", "da": "deka",
	"d": "deci", "c": "centi", "m": "milli", "u": "micro", "n": "nano", "p": "pico", "f": "femto", "a": "atto", "z": "zepto", "y": "yocto", "r": "ronto", "q": "quecto",
	"Ki": "kibi", "Mi": "mebi", "Gi": "gibi", "Ti": "tebi",
}

// metric are the units that take a prefix, with their names where a program's metric may
// have them.
var metric = map[string]string{
	"m": "meter", "s": "second", "g": "gram", "rad": "radian", "K": "kelvin", "C": "coulomb", "cd": "candela",
	"mol": "mole", "sr": "", "Hz": "hertz", "N": "newton", "Pa": "pascal", "J": "joule", "W": "watt", "A": "ampere", "V": "volt",
	"F": "farad", "Ohm": "ohm", "S": "", "Wb": "weber", "Cel": "celsius", "T": "tesla", "H": "henry", "lm": "lumen", "lx": "lux",
	"Bq": "becquerel", "Gy": "gray", "Sv": "sievert", "l": "liter", "L": "liter", "ar": "", "t": "", "bar": "bar", "u": "", "eV": "",
	"pc": "", "gf": "", "Ky": "", "Gal": "", "dyn": "", "erg": "", "P": "", "Bi": "", "St": "", "Mx": "", "G": "", "Oe": "", "Gb": "",
	"sb": "", "Lmb": "", "ph": "", "Ci": "", "R": "", "RAD": "", "REM": "", "cal": "calorie", "cal_th": "", "cal_IT": "", "cal_m": "", "tex": "",
	"eq": "", "osm": "", "g%": "", "kat": "", "U": "", "Np": "neper", "B": "", "st": "", "mho": "",
	"bit": "bit", "By": "byte", "Bd": "baud",
}

// plain are the units that take no prefix.
var plain = map[string]string{
	"%": "percent", "'": "", "''": "", "deg": "degree", "gon": "", "min": "minute", "h": "hour", "d": "day", "wk": "week",
	"mo": "month", "mo_s": "", "mo_j": "", "mo_g": "", "a": "year", "a_t": "", "a_j": "", "a_g": "", "AU": "", "atm": "atmosphere",
	"Ao": "", "b": "", "att": "", "circ": "", "sph": "", "bit_s": "",
}

// Valid returns an error that says what is wrong if the text is no unit. An annotation in
// braces, such as {request}, is a unit. Units in square brackets ([degF], [in_i]) are taken
// as they are: their list, of customary and clinical units, is not here.
func Valid(unit string) error {
	for i := range len(unit) {
		if unit[i] < 33 || unit[i] > 126 {
			return errors.New("a unit of UCUM has no spaces and only letters of ASCII")
		}
	}
	p := parser{rest: strings.TrimPrefix(unit, "/"), whole: unit}
	if p.rest == "" {
		return errors.New("no unit is there")
	}
	if err := p.term(0); err != nil {
		return err
	}
	if p.rest != "" {
		return fmt.Errorf("%q is one ) too many", p.rest)
	}
	return nil
}

type parser struct {
	rest, whole string
	// atoms are the units without their annotations and exponents.
	atoms []atom
}

// An atom is a unit with its prefix.
type atom struct{ prefix, code string }

// maxDepth bounds the parentheses in each other.
const maxDepth = 20

// term reads components with . and / between them.
func (p *parser) term(depth int) error {
	for {
		if err := p.component(depth); err != nil {
			return err
		}
		if p.rest == "" || p.rest[0] == ')' {
			return nil
		}
		if p.rest[0] != '.' && p.rest[0] != '/' {
			return fmt.Errorf("%q does not follow a unit: write . or / between two", p.rest)
		}
		p.rest = p.rest[1:]
	}
}

// component reads one unit, or a term in parentheses.
func (p *parser) component(depth int) error {
	if rest, ok := strings.CutPrefix(p.rest, "("); ok {
		if depth == maxDepth {
			return errors.New("too many parentheses")
		}
		p.rest = rest
		if err := p.term(depth + 1); err != nil {
			return err
		}
		if p.rest, ok = strings.CutPrefix(p.rest, ")"); !ok {
			return errors.New("a ) is missing")
		}
		return nil
	}
	end := p.symbolEnd()
	symbol := p.rest[:end]
	p.rest = p.rest[end:]
	if err := p.symbol(symbol); err != nil {
		return err
	}
	annotation, rest, annotated := strings.Cut(p.rest, "}")
	if strings.HasPrefix(p.rest, "{") {
		if !annotated || strings.Contains(annotation[1:], "{") {
			return errors.New("a } is missing")
		}
		p.rest = rest
	} else if symbol == "" {
		return errors.New("a unit is missing")
	}
	return nil
}

// symbolEnd is where the unit ends that the rest begins with. Brackets may have any letter
// in them.
func (p *parser) symbolEnd() int {
	inside := false
	for i := range len(p.rest) {
		switch c := p.rest[i]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case !inside && strings.IndexByte("./(){}", c) >= 0:
			return i
		}
	}
	return len(p.rest)
}

// symbol checks one unit with its exponent: ms, m2, s-1, 10*6, 60.
func (p *parser) symbol(s string) error {
	if s == "" || strings.Trim(s, "0123456789") == "" {
		return nil
	}
	base := strings.TrimRight(s, "0123456789")
	if base != s {
		if n := len(base); n > 0 && (base[n-1] == '-' || base[n-1] == '+') {
			base = base[:n-1]
		}
	}
	if base == "10*" || base == "10^" {
		return nil
	}
	found, ok := find(base)
	if !ok {
		return fmt.Errorf("%q is no unit of UCUM%s", base, meant(base))
	}
	p.atoms = append(p.atoms, found)
	return nil
}

// find takes a unit apart.
func find(s string) (atom, bool) {
	if _, ok := plain[s]; ok {
		return atom{code: s}, true
	}
	if _, ok := metric[s]; ok {
		return atom{code: s}, true
	}
	if bracketed(s) {
		return atom{code: s}, true
	}
	for prefix := range prefixes {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			if _, ok := metric[rest]; ok || bracketed(rest) {
				return atom{prefix, rest}, true
			}
		}
	}
	return atom{}, false
}

// bracketed tells whether s has a pair of square brackets and no other: [degF], m[Hg].
func bracketed(s string) bool {
	open, end := strings.IndexByte(s, '['), strings.IndexByte(s, ']')
	return open >= 0 && open+1 < end && strings.Count(s, "[") == 1 && strings.Count(s, "]") == 1
}

// meant suggests the code for a unit that is written as a word or an abbreviation.
func meant(s string) string {
	for code, word := range names() {
		if strings.EqualFold(s, word) || strings.EqualFold(s, word+"s") {
			return ": write " + code
		}
	}
	for _, m := range []struct{ wrong, code string }{{"sec", "s"}, {"msec", "ms"}, {"usec", "us"}, {"nsec", "ns"}, {"hr", "h"}, {"KB", "kBy"}} {
		if s == m.wrong {
			return ": write " + m.code
		}
	}
	return fmt.Sprintf("; a count of things is an annotation, {%s}", s)
}

// names are the words of units, and of some with prefixes, by their codes.
func names() map[string]string {
	all := map[string]string{}
	for _, table := range []map[string]string{metric, plain} {
		for code, word := range table {
			if word != "" {
				all[code] = word
			}
		}
	}
	for _, code := range []string{"s", "By", "bit", "m", "g", "W", "Hz", "V", "A", "J"} {
		for prefix, word := range prefixes {
			all[prefix+code] = word + metric[code]
		}
	}
	return all
}

// InName returns the word by which a metric's name contains its unit: the unit's code, or
// its name. It returns "" if the name does not, and for numbers and annotations, which name
// no unit. A unit of several, such as By/s, is in the name if all of them are.
func InName(unit, name string) string {
	p := parser{rest: strings.TrimPrefix(unit, "/"), whole: unit}
	if p.rest == "" || p.term(0) != nil || len(p.atoms) == 0 {
		return ""
	}
	words := strings.FieldsFunc(name, func(c rune) bool { return c == '.' || c == '_' || c == '-' || c == '/' || c == ' ' })
	var found []string
	for _, a := range p.atoms {
		word := a.in(words)
		if word == "" {
			return ""
		}
		found = append(found, word)
	}
	return strings.Join(found, " ")
}

// in returns the word that is the unit; "" if none is.
func (a atom) in(words []string) string {
	name := metric[a.code] + plain[a.code]
	for _, word := range words {
		lower := strings.ToLower(word)
		full := prefixes[a.prefix] + name
		if word == a.prefix+a.code || name != "" && (lower == full || lower == full+"s") {
			return word
		}
		if a.code == "s" && (lower == a.prefix+"sec" || lower == a.prefix+"secs") {
			return word
		}
	}
	return ""
}
