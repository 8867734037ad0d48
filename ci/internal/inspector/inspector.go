// Package inspector receives a copy of the OTLP that services send, and answers over HTTP
// with what it saw: the facts of each service.
//
// Alloy sends the copy when the lab is up with --inspect. The copy is taken as the data
// came in, and Alloy drops what the inspector does not take in time: so the inspector sees
// a sample at high rates, and says so in facts.Service.Bounds.
package inspector

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// The kinds of the answers, as report.Encode writes them.
const (
	// KindFacts is a facts.Service.
	KindFacts = "facts"
	// KindServices is a [Services].
	KindServices = "inspected_services"
)

// Services is the answer of /api/v1/services.
type Services struct {
	Services []facts.Summary `json:"services"`
}

// maxRequest bounds a request's body, in bytes before and after it is unpacked. Alloy takes
// requests of 20 MiB and may join two.
const maxRequest = 64 << 20

// Server is the inspector.
type Server struct {
	// Off says that no copy of the telemetry is made: there are no facts to answer with.
	Off bool

	keeper *facts.Keeper
	// losses says what Alloy did not hand over. It may be nil.
	losses *Losses
}

// NewServer returns a server that has seen nothing. losses may be nil.
func NewServer(losses *Losses) *Server { return &Server{keeper: facts.NewKeeper(), losses: losses} }

// Handler serves OTLP over HTTP in protobuf (/v1/traces, /v1/logs, /v1/metrics), /ready, and
// the answers: /api/v1/services, and /api/v1/facts?service=NAME&run=ID, where run may be
// left out.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", receive(ptraceotlp.NewExportRequest, func(r ptraceotlp.ExportRequest) { s.keeper.Traces(r.Traces()) }))
	mux.HandleFunc("POST /v1/logs", receive(plogotlp.NewExportRequest, func(r plogotlp.ExportRequest) { s.keeper.Logs(r.Logs()) }))
	mux.HandleFunc("POST /v1/metrics", receive(pmetricotlp.NewExportRequest, func(r pmetricotlp.ExportRequest) { s.keeper.Metrics(r.Metrics()) }))
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ready\n") })
	mux.HandleFunc("GET /api/v1/services", s.on(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, KindServices, Services{s.keeper.Services()})
	}))
	mux.HandleFunc("GET /api/v1/facts", s.on(s.facts))
	return mux
}

// on refuses a request for facts where none are kept.
func (s *Server) on(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if s.Off {
			http.Error(w, ErrOff.Error(), http.StatusServiceUnavailable)
			return
		}
		handle(w, req)
	}
}

// facts answers with the facts of one service.
func (s *Server) facts(w http.ResponseWriter, req *http.Request) {
	query := req.URL.Query()
	if !query.Has("service") {
		http.Error(w, "which service? /api/v1/facts?service=NAME&run=ID", http.StatusBadRequest)
		return
	}
	s.readLosses(req.Context())
	service, ok := s.keeper.Service(query.Get("service"), query.Get("run"))
	if !ok {
		http.Error(w, "no facts of this service and run", http.StatusNotFound)
		return
	}
	if s.losses != nil {
		service.Bounds = append(service.Bounds, s.losses.Sentences()...)
	}
	answer(w, KindFacts, service)
}

// lossInterval is how often Watch asks. A trace is judged 5 s after its last span, so a
// loss is known before.
const lossInterval = 2 * time.Second

// Watch asks Alloy regularly how much of the copy it dropped, until ctx ends. Traces of the
// time of a loss are not judged by the spans that they lack.
func (s *Server) Watch(ctx context.Context) {
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		s.readLosses(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// readLosses asks Alloy what it dropped. An Alloy that does not answer leaves what was
// known.
func (s *Server) readLosses(ctx context.Context) {
	if s.losses == nil {
		return
	}
	if spans, err := s.losses.Read(ctx); err == nil && spans {
		s.keeper.SpansLost()
	}
}

func answer(w http.ResponseWriter, kind string, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := report.Encode(w, kind, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// receive handles one signal of OTLP.
func receive[R interface{ UnmarshalProto([]byte) error }](empty func() R, take func(R)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); kind != "application/x-protobuf" {
			http.Error(w, "send OTLP as application/x-protobuf", http.StatusUnsupportedMediaType)
			return
		}
		body, err := read(w, req)
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r := empty()
		if err == nil {
			err = r.UnmarshalProto(body)
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("reading OTLP: %v", err), http.StatusBadRequest)
			return
		}
		take(r)
		// An export response without a field is no bytes.
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
}

// read returns the body of a request, unpacked.
func read(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	body := http.MaxBytesReader(w, req.Body, maxRequest)
	switch encoding := req.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return io.ReadAll(body)
	case "gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(http.MaxBytesReader(w, unpacked, maxRequest))
	default:
		return nil, fmt.Errorf("the encoding %.20q: send gzip, or none", encoding)
	}
}
