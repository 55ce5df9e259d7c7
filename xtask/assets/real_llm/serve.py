#!/usr/bin/env python3
"""llama.cpp's own OpenAI-compatible server, out of the package `xllamacpp`, until it is ended.

serve.py WEIGHTS NAME PORT CONTEXT THREADS
"""
import sys
import threading

import xllamacpp


def main():
    weights, name, port, context, threads = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = weights, {name}
    params.hostnames, params.port = ['127.0.0.1'], int(port)
    params.n_ctx, params.n_parallel = int(context), 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)
    params.n_gpu_layers, params.use_jinja = 0, True
    server = xllamacpp.Server(params)
    print(f'listening on {server.listening_address}', flush=True)
    threading.Event().wait()


if __name__ == '__main__':
    main()
