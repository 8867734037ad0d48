package cases

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Comparison is a comparison with a number, such as ">= 1".
type Comparison struct {
	// Operator is one of >=, <=, ==, !=, > and <.
	Operator string
	Number   float64
}

// operators are in this order so that ">=" is not taken for ">".
var operators = []string{">=", "<=", "==", "!=", ">", "<"}

// ParseComparison reads a comparison: an operator and a number.
func ParseComparison(text string) (Comparison, error) {
	text = strings.TrimSpace(text)
	for _, operator := range operators {
		rest, found := strings.CutPrefix(text, operator)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil || math.IsNaN(n) {
			return Comparison{}, fmt.Errorf("%q compares with %q, which is not a number", text, strings.TrimSpace(rest))
		}
		return Comparison{operator, n}, nil
	}
	return Comparison{}, fmt.Errorf("%q is not a comparison; write one of %s before a number, such as '>= 1'",
		text, strings.Join(operators, " "))
}

// Holds reports whether the comparison holds for a value.
func (c Comparison) Holds(value float64) bool {
	switch c.Operator {
	case ">=":
		return value >= c.Number
	case "<=":
		return value <= c.Number
	case "==":
		return value == c.Number
	case "!=":
		return value != c.Number
	case ">":
		return value > c.Number
	case "<":
		return value < c.Number
	}
	return false
}

func (c Comparison) String() string {
	return c.Operator + " " + strconv.FormatFloat(c.Number, 'g', -1, 64)
}
