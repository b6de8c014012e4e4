/* A libllama whose functions do nothing: what is left of a step is the scheduler's own cost.
 * Positions are kept, because the core asks for them. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define N_VOCAB 64
#define MAX_SEQ 256

typedef struct {
    int32_t n_tokens;
    int32_t * token;
    float * embd;
    int32_t * pos;
    int32_t * n_seq_id;
    int32_t ** seq_id;
    int8_t * logits;
} batch_t;

static float logits[N_VOCAB] = { [7] = 1.0f };
static int32_t last_pos[MAX_SEQ];
static int ctx;

void * idle_init(void) {
    memset(last_pos, 0xff, sizeof(last_pos));
    return &ctx;
}

int32_t llama_decode(void * c, batch_t batch) {
    (void) c;
    for (int32_t i = 0; i < batch.n_tokens; i++) {
        last_pos[batch.seq_id[i][0]] = batch.pos[i];
    }
    return 0;
}

bool llama_memory_seq_rm(void * mem, int32_t seq, int32_t p0, int32_t p1) {
    (void) mem; (void) p1;
    last_pos[seq] = p0 > 0 ? p0 - 1 : -1;
    return true;
}

int32_t llama_memory_seq_pos_min(void * mem, int32_t seq) {
    (void) mem;
    return last_pos[seq] < 0 ? -1 : 0;
}

int32_t llama_memory_seq_pos_max(void * mem, int32_t seq) { (void) mem; return last_pos[seq]; }

float * llama_get_logits_ith(void * c, int32_t i) { (void) c; (void) i; return logits; }
void * llama_get_memory(const void * c) { return (void *) c; }
uint32_t llama_n_ctx(const void * c) { (void) c; return 1 << 24; }
uint32_t llama_n_batch(const void * c) { (void) c; return 2048; }
uint32_t llama_n_ubatch(const void * c) { (void) c; return 512; }
uint32_t llama_n_seq_max(const void * c) { (void) c; return MAX_SEQ; }

int32_t llama_vocab_n_tokens(const void * vocab) { (void) vocab; return N_VOCAB; }
bool llama_vocab_is_eog(const void * vocab, int32_t token) { (void) vocab; return token == 0; }

int32_t llama_token_to_piece(const void * vocab, int32_t token, char * buf, int32_t length,
                             int32_t lstrip, bool special) {
    (void) vocab; (void) token; (void) lstrip; (void) special;
    if (length < 6) {
        return -6;
    }
    memcpy(buf, " token", 6);
    return 6;
}
