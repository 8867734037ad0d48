package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
)

// auditSelector selects the streams that say who changed users, as config/loki/loki.yaml
// has it.
const auditSelector = `{lab_audit="users"}`

// errNoDeletion says that Loki deletes nothing, whatever its periods are.
var errNoDeletion = errors.New("Loki's compactor deletes nothing: compactor.retention_enabled is false")

// retention checks how long the programs that run keep each signal, as they say themselves. A
// period that was asked for must be that one. Any other must be one after which something
// is deleted.
func (v *verifier) retention(ctx context.Context) {
	asked := v.Retention
	loki, err := v.loki.Settings(ctx)
	if err == nil && !loki.Compactor.Enabled {
		err = errNoDeletion
	}
	v.period("logs", asked.Logs, retention.Least, time.Duration(loki.Limits.Period), err)
	audit, auditErr := auditPeriod(loki)
	v.period("audit log", asked.Audit, max(retention.Least, time.Duration(loki.Limits.Period)), audit, cmp.Or(err, auditErr))
	tempo, err := v.tempo.Settings(ctx)
	traces := cmp.Or(tempo.Overrides.Defaults.Compaction.Period, tempo.Compactor.Compaction.Period)
	v.period("traces", asked.Traces, retention.Least, time.Duration(traces), err)
	mimir, err := v.mimir.Settings(ctx)
	v.period("metrics", asked.Metrics, retention.Least, time.Duration(mimir.Limits.Period), err)
}

// auditPeriod returns how long Loki keeps the audit log.
func auditPeriod(loki query.LokiSettings) (time.Duration, error) {
	streams := loki.Limits.Streams
	i := slices.IndexFunc(streams, func(s query.LokiStream) bool { return s.Selector == auditSelector })
	if i < 0 {
		return 0, fmt.Errorf("Loki has no retention_stream for %s", auditSelector)
	}
	return time.Duration(streams[i].Period), nil
}

// period checks one period. least is the shortest that a signal of which nobody has asked
// for a period may be kept.
func (v *verifier) period(signal string, asked, least, is time.Duration, err error) {
	want := "a period of at least " + text(least)
	if asked != 0 {
		want = text(asked)
	}
	v.check("retention", signal, want, func() (string, error) {
		switch {
		case err != nil:
			return "", err
		case is == 0:
			return "for ever", errors.New("nothing is deleted: the period is 0")
		case asked != 0 && is != asked:
			return text(is), fmt.Errorf("the program that runs keeps it for %s, and %s was asked for", text(is), text(asked))
		case is < least:
			return text(is), fmt.Errorf("it is kept for less than %s", text(least))
		}
		return text(is), nil
	})
}

// text is a period as Loki and Mimir write it: 30d, 1y.
func text(d time.Duration) string { return model.Duration(d).String() }
