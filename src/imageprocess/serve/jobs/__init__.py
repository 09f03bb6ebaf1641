"""POST /v1/jobs: batch jobs of many images, analysed asynchronously. A job exists in one process and stores its data in
unnamed temporary files, so that nothing of it remains when that process ends, however it ends.
"""
