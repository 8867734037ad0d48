package bench

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// storedBytes fills a lab, has the stores write what they hold to their blocks, and divides
// the blocks' size by what is in them.
func storedBytes(ctx context.Context, o Options) ([]Row, []string, error) {
	lab, release, err := newLab(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	const traces = 50_000
	f := newFiller(lab.at.OTLPHTTP)
	if err := f.fill(ctx, traces, func(done int) { o.step("%d of %d traces sent", done, traces) }); err != nil {
		return nil, nil, err
	}
	o.step("the lab works them off")
	if err := lab.settle(ctx, 5*time.Minute); err != nil {
		return nil, nil, err
	}
	samples, err := samplesTaken(ctx, lab)
	if err != nil {
		return nil, nil, err
	}
	for _, url := range []string{lab.at.Tempo + "/flush", lab.at.Loki + "/flush", lab.at.Mimir + "/ingester/flush?wait=true"} {
		if err := flush(ctx, url); err != nil {
			return nil, nil, err
		}
	}
	if err := lab.settle(ctx, 2*time.Minute); err != nil {
		return nil, nil, err
	}
	dir, err := lab.dir(ctx)
	if err != nil {
		return nil, nil, err
	}
	var rows []Row
	for _, part := range []struct {
		name, folder string
		count        float64
	}{
		{"a span, in Tempo's blocks", "tempo/blocks", traces * spansPerTrace},
		{"a log line, in Loki's chunks", "loki/chunks", traces * linesPerTrace},
		{"a sample, in Mimir's blocks", "mimir/blocks", samples},
	} {
		size, err := folderSize(filepath.Join(dir, "data", filepath.FromSlash(part.folder)))
		if err != nil {
			return nil, nil, err
		}
		if size == 0 || part.count == 0 {
			return nil, nil, fmt.Errorf("%s is empty after a flush", part.folder)
		}
		rows = append(rows, row(part.name, Bytes, size/part.count))
	}
	return rows, []string{fmt.Sprintf("%d traces of four spans with 5 to 13 attributes each, and two lines of six attributes, as the services make them; then a flush. Until then the same data is in a write-ahead log, too. Mimir's block is of a few minutes, and longer ones have less for each sample: the labels are written once.", traces)}, nil
}

// samplesTaken is the number of samples that Mimir has taken.
func samplesTaken(ctx context.Context, lab ownLab) (float64, error) {
	mimir := query.Mimir{URL: lab.at.Mimir, HTTP: httpClient}
	n, _, err := mimir.Scalar(ctx, "sum(cortex_ingester_ingested_samples_total)", time.Now())
	return n, err
}

func flush(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", url, res.Status)
	}
	return nil
}
