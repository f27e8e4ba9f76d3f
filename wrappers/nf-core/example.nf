// Scans the proteins of one FASTA file in chunks of records, and joins the tables in order.
//
//     nextflow run example.nf --proteins proteins.fa --records 20000
//
// A chunk that fails is retried, and `-resume` scans only the chunks that are missing.
// This workflow was neither linted nor run; the modules were linted.

include { PFAMNET_SCAN } from './pfamnet/scan/main'

params.proteins = null
params.model    = null // a directory made by pfamnet-build, or an HMM database; null: the model that ships with pfamnet
params.records  = 20000 // proteins in a chunk
params.outdir   = '.'

workflow {
    chunks = channel.fromPath(params.proteins, checkIfExists: true)
        .splitFasta(by: params.records, file: true)
        .map { chunk -> [[id: chunk.baseName], chunk] }
    model = params.model ? file(params.model, checkIfExists: true) : []

    PFAMNET_SCAN(chunks, model)

    // chunks are named NAME.1, NAME.2, ...; gzip files may be concatenated, since the tables have no header
    PFAMNET_SCAN.out.tsv
        .map { _meta, table -> table }
        .collectFile(name: 'hits.tsv.gz', storeDir: params.outdir, sort: { table -> table.name.tokenize('.')[-3] as int })
}
