package bench

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// linear is the goal of every exponent: none above linear. The measurement is no better
// than a tenth.
const linear = 1.1

// growth stores more and more spans in one lab, with two log lines for every four, and
// measures at each size what a question costs, and what is used.
func growth(ctx context.Context, o Options) ([]Row, []string, error) {
	lab, release, err := newLab(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	g := &growing{lab: lab, filler: newFiller(lab.at.OTLPHTTP), o: o, stores: query.NewStores(lab.at.Tempo, lab.at.Loki, lab.at.Mimir, httpClient)}
	for spans := 10_000; spans <= max(o.Spans, 100_000); spans *= 10 {
		if err := g.growTo(ctx, spans); err != nil {
			return nil, nil, err
		}
	}
	return g.rows(), []string{
		"One lab, which is filled through Alloy with traces of four spans and two log lines each, as the services make them. A question is asked 20 times at each size, of data from the whole run.",
		"Exponent: of the power of the number of spans that the value grows with, the slope of its logarithm by least squares; 0 is flat, 1 is linear. Of values that begin with a fixed part, such as memory, it is too small to see what one more span costs: look at the values.",
	}, nil
}

// growing is a lab at several sizes.
type growing struct {
	lab    ownLab
	filler *filler
	stores query.Stores
	o      Options
	sizes  []float64 // spans stored
	values [][]float64
	began  time.Time
}

// The values at one size, in this order.
var growthValues = []struct {
	name string
	unit Unit
}{
	{"to take in the spans that were added, a span", Seconds},
	{"trace by id", Seconds}, {"TraceQL search", Seconds}, {"LogQL, lines of a trace", Seconds}, {"LogQL, lines counted", Seconds}, {"PromQL range", Seconds},
	{"memory of all processes", Bytes}, {"disk", Bytes},
}

func (g *growing) growTo(ctx context.Context, spans int) error {
	if g.began.IsZero() {
		g.began = time.Now()
	}
	add := spans/spansPerTrace - int(g.filler.sent)
	begin := time.Now()
	err := g.filler.fill(ctx, add, func(done int) { g.o.step("%s spans: %d of %d traces sent", grouped(float64(spans)), done, add) })
	if err != nil {
		return err
	}
	g.o.step("%s spans: the lab works them off", grouped(float64(spans)))
	if err := g.lab.settle(ctx, 5*time.Minute); err != nil {
		return err
	}
	took := time.Since(begin) - 2*time.Second // what settle waits when there is nothing to do
	values := []float64{took.Seconds() / float64(add*spansPerTrace)}
	for i, ask := range g.questions() {
		g.o.step("%s spans: %s", grouped(float64(spans)), growthValues[i+1].name)
		v, err := timed(ctx, 20, ask)
		if err != nil {
			return fmt.Errorf("%s with %d spans: %w", growthValues[i+1].name, spans, err)
		}
		values = append(values, v)
	}
	used, err := measureAll(g.lab.groups)
	if err != nil {
		return err
	}
	disk, err := g.lab.disk(ctx)
	if err != nil {
		return err
	}
	g.sizes, g.values = append(g.sizes, float64(spans)), append(g.values, append(values, memoryOf(used), disk))
	return nil
}

// questions are those of growthValues, from the second on.
func (g *growing) questions() []func(context.Context) error {
	someTrace := func() string { return fmt.Sprintf("%x", g.filler.id(rand.Uint64N(g.filler.sent))) }
	since := func() (time.Time, time.Time) { return g.began.Add(-time.Minute), time.Now() }
	return []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := g.stores.Tempo.Trace(ctx, someTrace())
			return err
		},
		func(ctx context.Context) error {
			from, to := since()
			_, err := g.stores.Tempo.Search(ctx, `{ resource.service.name = "bench-backend" && span.db.system.name = "sqlite" }`, from, to, 20)
			return err
		},
		func(ctx context.Context) error {
			from, to := since()
			_, err := g.stores.Loki.Lines(ctx, fmt.Sprintf(`{service_name=~"bench-.*"} | trace_id=%q`, someTrace()), from, to, 100)
			return err
		},
		func(ctx context.Context) error {
			_, err := g.stores.Loki.Count(ctx, `sum by (service_name) (count_over_time({service_name=~"bench-.*"}[1m]))`, "service_name", time.Now())
			return err
		},
		func(ctx context.Context) error {
			_, to := since()
			_, err := g.stores.Mimir.Range(ctx, `sum by (service, span_name) (rate(traces_spanmetrics_calls_total[1m]))`, to.Add(-time.Hour), to, 15*time.Second)
			return err
		},
	}
}

// timed asks so many times, and returns the median of the times.
func timed(ctx context.Context, times int, ask func(context.Context) error) (float64, error) {
	var all []float64
	for range times {
		begin := time.Now()
		if err := ask(ctx); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begin).Seconds())
	}
	return median(all), nil
}

// rows are, for each value, the exponent and the value at each size.
func (g *growing) rows() []Row {
	var rows []Row
	for i, v := range growthValues {
		var column []float64
		for _, at := range g.values {
			column = append(column, at[i])
		}
		if i == 0 { // of a rate, the whole that grows is the time for all
			total := make([]float64, len(column))
			for j := range column {
				total[j] = column[j] * g.sizes[j]
			}
			rows = append(rows, row("exponent: taking in", Exponent, exponent(g.sizes, total)).under(linear))
		} else {
			rows = append(rows, row("exponent: "+v.name, Exponent, exponent(g.sizes, column)).under(linear))
		}
		for j, size := range g.sizes {
			rows = append(rows, row(fmt.Sprintf("%s, %s spans", v.name, grouped(size)), v.unit, column[j]))
		}
	}
	return rows
}

// exponent is the slope of the values' logarithm over that of the sizes, by least squares.
func exponent(sizes, values []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range sizes {
		if sizes[i] <= 0 || values[i] <= 0 {
			continue
		}
		x, y := math.Log(sizes[i]), math.Log(values[i])
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// disk is what all of the lab's data takes.
func (l ownLab) disk(ctx context.Context) (float64, error) {
	dir, err := l.dir(ctx)
	if err != nil {
		return 0, err
	}
	return folderSize(filepath.Join(dir, "data"))
}

// dir is the lab's folder.
func (l ownLab) dir(ctx context.Context) (string, error) {
	status, err := l.target.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range status.Components {
		for _, i := range c.Instances {
			if i.Log != "" {
				return filepath.Dir(filepath.Dir(i.Log)), nil
			}
		}
	}
	return "", errSkip("the folder of this lab is not on this machine")
}

// folderSize is the size of all files below a folder, in bytes; 0 for one that is not there.
func folderSize(dir string) (float64, error) {
	var sum float64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go
		}
		if info, err := d.Info(); err == nil {
			sum += float64(info.Size())
		}
		return nil
	})
	return sum, err
}
