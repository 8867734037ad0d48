package judge

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
)

// Traces judges an expectation of traces.
func Traces(context.Context, Stores, cases.TracesExpectation, Scope) Verdict { return Verdict{} }

// Logs judges an expectation of log lines.
func Logs(context.Context, Stores, cases.LogsExpectation, Scope) Verdict { return Verdict{} }

// Metrics judges an expectation of series.
func Metrics(context.Context, Stores, cases.MetricsExpectation, Scope) Verdict { return Verdict{} }

// Tree judges the shape of traces.
func Tree(context.Context, Stores, cases.TreeExpectation, Scope) Verdict { return Verdict{} }

// Complete judges whether each of the scope's traces has left what it must leave.
func Complete(context.Context, Stores, cases.Complete, Scope) Verdict { return Verdict{} }
