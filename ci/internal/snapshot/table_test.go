package snapshot

import (
	"math"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

func TestTableSort(t *testing.T) {
	for _, c := range []struct {
		name, want string
		by         []dashboards.Sort
	}{
		{"as it is", "b:9 a:10 c:– b:10", nil},
		{"a number, not its text", "a:10 b:10 b:9 c:–", []dashboards.Sort{{Column: "Rate", Descending: true}}},
		{"what there is not comes first", "c:– b:9 a:10 b:10", []dashboards.Sort{{Column: "Rate"}}},
		{"text, equal ones as they were", "a:10 b:9 b:10 c:–", []dashboards.Sort{{Column: "Route"}}},
		{"by two columns", "c:– b:10 b:9 a:10", []dashboards.Sort{{Column: "Route", Descending: true}, {Column: "Rate", Descending: true}}},
		{"a column that there is not", "b:9 a:10 c:– b:10", []dashboards.Sort{{Column: "Rote"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := table{Columns: []column{{Name: "Route"}, {"Rate", true}}}
			for _, r := range []struct {
				route, text string
				rate        float64
			}{{"b", "9", 9}, {"a", "10", 10}, {"c", "–", math.NaN()}, {"b", "10", 10}} {
				rows.Rows = append(rows.Rows, []cell{{stat: stat{Value: r.route}}, {stat: stat{Value: r.text}, order: r.rate}})
			}
			rows.sort(c.by)
			var got []string
			for _, r := range rows.Rows {
				got = append(got, r[0].Value+":"+r[1].Value)
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
