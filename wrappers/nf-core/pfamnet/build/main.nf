process PFAMNET_BUILD {
    tag "$meta.id"
    label 'process_high'

    conda "${moduleDir}/environment.yml"
    container "${ workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/pfamnet:1.0.0--pyhdfd78af_0':
        'quay.io/biocontainers/pfamnet:1.0.0--pyhdfd78af_0' }"

    input:
    tuple val(meta), path(trainsets)
    path domains
    path profiles

    output:
    tuple val(meta), path("${prefix}"), emit: model
    tuple val("${task.process}"), val('pfamnet'), eval("pfamnet-build --version | sed 's/^pfamnet //'"), emit: versions_pfamnet, topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args       = task.ext.args ?: ''
    prefix         = task.ext.prefix ?: "${meta.id}"
    def table      = domains ? "--domains $domains" : ''
    def hmm        = profiles ? "--hmm $profiles" : ''
    def device     = task.accelerator ? 'cuda' : 'cpu'
    """
    pfamnet-build \\
        --cpu $task.cpus \\
        --device $device \\
        $args \\
        $table \\
        $hmm \\
        $prefix \\
        $trainsets
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir $prefix
    touch $prefix/model.json
    touch $prefix/families.tsv
    touch $prefix/light.onnx
    """
}
