package traffic

import (
	"context"
	"sync"
	"time"
)

// pace is vegeta's pacer for a fixed number of requests at a constant rate:
// request i (from 0) is due i/rate seconds after the beginning, whether or not
// the requests before it were answered. So it can tell how late a request was.
type pace struct {
	ctx   context.Context
	rate  float64
	total uint64

	once  sync.Once
	began time.Time // of the attack, by its own clock
}

// Pace implements vegeta.Pacer.
func (p *pace) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	p.once.Do(func() { p.began = time.Now().Add(-elapsed) })
	if hits >= p.total || p.ctx.Err() != nil {
		return 0, true
	}
	return p.due(hits) - elapsed, false // negative when behind: vegeta sends at once
}

// Rate implements vegeta.Pacer; it is constant.
func (p *pace) Rate(time.Duration) float64 { return p.rate }

func (p *pace) due(i uint64) time.Duration {
	return time.Duration(float64(i) / p.rate * float64(time.Second))
}

// lag is how long after its due time request i was sent. It may be called once Pace
// was, which is so when there is a result.
func (p *pace) lag(i uint64, sent time.Time) time.Duration {
	return max(0, sent.Sub(p.began.Add(p.due(i))))
}
