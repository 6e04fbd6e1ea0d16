/*
 * Fuzz target: TLS over TCP, from segments to columns. tls_input.h says what
 * the input is.
 */
#include "tls_input.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_tls_flow(data, size, JJ_PROTO_TCP);
	return 0;
}
